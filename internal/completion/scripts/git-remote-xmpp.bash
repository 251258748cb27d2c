# Completion in bash for git-remote-xmpp, git-xmpp and git xmpp. The program itself says what can come.

# Completes the last one of the words after the program's name.
__git_remote_xmpp() {
	local kind text breaks before cur=${!#}
	COMPREPLY=()
	{
		read -r kind || return 0
		while IFS=$'\t' read -r text _; do COMPREPLY+=("$text"); done
	} < <(git-remote-xmpp completion answer -- "$@" 2>/dev/null)
	case $kind in
	folders | files)
		compopt -o filenames 2>/dev/null
		[[ $kind == files ]] && kind=-f || kind=-d
		while IFS= read -r text; do COMPREPLY+=("$text"); done < <(compgen "$kind" -- "$cur")
		;;
	esac
	# What readline replaces begins after the last : or =, unless its user has it otherwise.
	breaks=${COMP_WORDBREAKS//[^:=]/}
	if [[ $breaks && $cur == *[$breaks]* ]]; then
		before=${cur%"${cur##*[$breaks]}"}
		COMPREPLY=("${COMPREPLY[@]#"$before"}")
	fi
}

# For git-remote-xmpp and git-xmpp. Words that : and = have cut are put together again.
_git_remote_xmpp() {
	local -a line=()
	local i n glue=
	for ((i = 1; i <= COMP_CWORD; i++)); do
		n=${#line[@]}
		if ((n > 0)) && [[ $glue || ${COMP_WORDS[i]} == [:=]* ]]; then
			line[n - 1]+=${COMP_WORDS[i]}
		else
			line+=("${COMP_WORDS[i]}")
		fi
		[[ ${COMP_WORDS[i]} == *[:=] ]] && glue=1 || glue=
	done
	__git_remote_xmpp "${line[@]}"
}

# For git xmpp: git's own completion calls this, with the words in $words.
_git_xmpp() {
	local i=${__git_cmd_idx:-1}
	while ((i < cword)) && [[ ${words[i]} != xmpp ]]; do ((i++)); done
	__git_remote_xmpp "${words[@]:i+1:cword-i}"
	compopt +o nospace 2>/dev/null # git's own words bring their spaces
}

complete -F _git_remote_xmpp git-remote-xmpp git-xmpp
