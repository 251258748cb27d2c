# Completion in fish for git-remote-xmpp and git-xmpp; its completion of git asks the latter for git xmpp. The program itself says what can come.

function __git_remote_xmpp
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l answer (git-remote-xmpp completion answer -- $words[2..] "$token" 2>/dev/null)
    printf '%s\n' $answer[2..]
    switch "$answer[1]"
        case folders
            __fish_complete_directories "$token" ''
        case files
            __fish_complete_path "$token" ''
    end
end

complete -c git-remote-xmpp -f -a '(__git_remote_xmpp)'
complete -c git-xmpp -f -a '(__git_remote_xmpp)'
