# Completion in fish for git-remote-xmpp, git-xmpp and git xmpp. The program itself says what can come.

function __git_remote_xmpp
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l last 1 # of the program's name
    if string match -qr '(^|/)git$' -- $words[1]
        set last (contains -i -- xmpp $words)
        or return
    end
    set -e words[1..$last]
    set -l answer (git-remote-xmpp completion answer -- $words "$token" 2>/dev/null)
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
complete -c git -f -n '__fish_git_using_command xmpp' -a '(__git_remote_xmpp)'
