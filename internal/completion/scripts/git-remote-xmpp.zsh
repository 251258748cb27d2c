#compdef git-remote-xmpp git-xmpp
#description push to, fetch from and clone git repositories over XMPP

# Completion in zsh. Its completion of git calls this for git xmpp, too. The program itself says what can come.
_git-xmpp() {
	local line ret=1
	local -a answer candidates
	answer=("${(@f)$(git-remote-xmpp completion answer -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
	for line in "${(@)answer[2,-1]}"; do
		candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	(( $#candidates )) && _describe -t candidates candidate candidates -U && ret=0
	case $answer[1] in
	folders) _files -/ && ret=0 ;;
	files) _files && ret=0 ;;
	esac
	return ret
}

if [[ $funcstack[1] == _git-xmpp ]]; then
	_git-xmpp "$@"
else
	compdef _git-xmpp git-remote-xmpp git-xmpp
fi
