/** What a shell reads to complete our words. Each asks `oakctl __complete`; without an answer it completes files. */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const bash = `# Completion of oakctl for bash.
_oakctl() {
  local IFS=$'\\n'
  COMPREPLY=($(oakctl __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1))
}
complete -o default -F _oakctl oakctl
`;

const zsh = `#compdef oakctl
# Completion of oakctl for zsh.
_oakctl() {
  local line
  local -a lines described
  lines=("\${(@f)$(oakctl __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -z "\${lines[1]}" ]]; then
    _files
    return
  fi
  for line in "\${lines[@]}"; do
    if [[ "$line" == *$'\\t'* ]]; then
      described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    else
      described+=("\${line//:/\\\\:}")
    fi
  done
  _describe oakctl described
}
if [[ "\${funcstack[1]}" == _oakctl ]]; then
  _oakctl "$@"
else
  compdef _oakctl oakctl
fi
`;

const fish = `# Completion of oakctl for fish.
function __oakctl_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answers (oakctl __complete -- $words[2..-1] 2>/dev/null)
  if test (count $answers) -gt 0
    printf '%s\\n' $answers
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c oakctl -f -a '(__oakctl_complete)'
`;

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
