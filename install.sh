#!/bin/sh
# Installs an agent of oakctl, with Node inside, and makes this machine a node. `oakctl nodes add` prints the line that fetches this
# script from the reconciler and runs it, once its SHA-256 is the one in that line. The table below has the SHA-256 of each package: so
# nobody on the way, and no mirror, can change what is installed. Twice is as once, and after an interruption it goes on.
#
#   install.sh <URL that it came from> [--from <url or file of a package>] <what `oakctl agent install` takes>
#
# The join token is in OAKCTL_JOIN_TOKEN.
set -eu
umask 022

# architecture, file, SHA-256, KiB of the file, KiB unpacked, folder
packages='@PACKAGES@'
home=/opt/oakctl
link=/usr/local/bin/oakctl

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "install.sh: $1"
  [ $# -lt 2 ] || say "  $2"
  exit 1
}

# From here to the token: again as root.
if [ "${1-}" = --token-on-stdin ]; then
  shift
  IFS= read -r OAKCTL_JOIN_TOKEN || true
  export OAKCTL_JOIN_TOKEN
fi
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || fail 'this needs root, and there is no sudo' 'become root (su -), and paste the line again'
  say 'This needs root; sudo may ask for your password.'
  code=0
  # On standard input: everybody can read what a command is called with.
  printf '%s\n' "${OAKCTL_JOIN_TOKEN-}" | sudo sh "$0" --token-on-stdin "$@" || code=$?
  exit "$code"
fi

[ $# -gt 0 ] || fail 'where did this script come from?' "paste the line that oakctl nodes add prints"
origin=${1%/v1/install.sh}
shift

# Takes --from out of the words; all others go to the agent.
from=''
left=$#
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $word in
    --from=*) from=${word#--from=} ;;
    --from)
      [ "$left" -gt 0 ] || fail '--from needs a URL or a file'
      from=$1
      shift
      left=$((left - 1))
      ;;
    *) set -- "$@" "$word" ;;
  esac
done

[ "$(uname -s)" = Linux ] || fail "agents run on Linux, and this is $(uname -s)"
for tool in tar gzip sha256sum df mktemp; do
  command -v "$tool" >/dev/null 2>&1 || fail "\`$tool\` is missing" 'install it (coreutils, tar and gzip of any distribution, or busybox)'
done

machine=$(uname -m)
# A kernel of 64 bits may run a system of 32.
bits=$(getconf LONG_BIT 2>/dev/null || echo 64)
case $machine/$bits in
  x86_64/64 | amd64/64) arch=amd64 ;;
  aarch64/64 | arm64/64) arch=arm64 ;;
  aarch64/32 | arm64/32 | armv7*/* | armv8*/*) arch=armv7 ;;
  *) fail "there are no packages for $machine with $bits bits" 'there are for amd64 (x86_64), arm64 (aarch64) and armv7 (armv7l)' ;;
esac

folder=''
while read -r its file sum size unpacked its_folder; do
  [ "$its" = "$arch" ] && folder=$its_folder && break
done <<END
$packages
END
[ -n "$folder" ] || fail "this cluster has no package for $arch yet" \
  "oakctl nodes packages tells, on the cluster, how one gets there; then make a new line with oakctl nodes add"
target=$home/$folder

fetch() { # URL, file
  if command -v curl >/dev/null 2>&1; then
    # As slow as it likes, but not silent.
    curl -fsSL --connect-timeout 20 --speed-limit 1 --speed-time 60 --retry 3 -o "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    wget -q -T 60 -O "$2" "$1"
  else
    fail 'neither curl nor wget is there' "fetch $1 elsewhere, and add \`--from <file>\` at the end of the line"
  fi
}

free_kib() { # of the file system of a folder
  df -Pk "$1" | { while read -r _ _ _ free _; do last=$free; done; echo "$last"; }
}

if [ -e "$target/complete" ]; then
  say "oakctl $folder is there already."
else
  mkdir -p "$home"
  # What an interrupted run left, unless it is still at it.
  for old in "$home"/.new.*; do
    [ -d "$old" ] || continue
    kill -0 "${old##*.new.}" 2>/dev/null || rm -rf "$old"
  done
  needed=$((size + unpacked + 1024))
  free=$(free_kib "$home")
  [ "$free" -ge "$needed" ] || fail "there is no space: $home has $((free / 1024)) MB, and $((needed / 1024)) MB are needed"
  new=$home/.new.$$
  mkdir "$new"
  trap 'rm -rf "$new"' EXIT
  trap 'exit 130' INT TERM HUP

  package=$new/package.tar.gz
  case ${from:-$origin} in
    http://* | https://*)
      url=${from:-$origin/v1/packages/$file}
      say "Fetching $url ($((size / 1024)) MB) ..."
      fetch "$url" "$package" || fail "$url could not be fetched" 'is this machine on the network of the reconciler?'
      ;;
    *)
      [ -r "$from" ] || fail "$from cannot be read"
      package=$from
      ;;
  esac
  # On standard input, so that the name of the file does not matter.
  found=$(sha256sum <"$package")
  [ "${found%% *}" = "$sum" ] || fail "REFUSED: ${from:-$url} is not the package that the cluster announced; nothing was installed" \
    "its SHA-256 is ${found%% *}, and not $sum"
  gzip -dc <"$package" | tar -xf - -C "$new" || fail "the package could not be unpacked to $home"
  new_node=$new/oakctl-agent/bin/node
  why=$("$new_node" --version 2>&1) || fail "Node does not run on this system: $why" \
    'it needs glibc 2.28 or newer and libstdc++ (apt-get install libstdc++6); systems with musl have neither'
  : >"$new/oakctl-agent/complete"
  # What is complete is complete after a power cut, too.
  sync
  rm -rf "$target"
  mv "$new/oakctl-agent" "$target"
  rm -rf "$new"
  trap - EXIT
fi

ours=no
case $(readlink "$link" 2>/dev/null || true) in
  "$home"/*) ours=yes ;;
  '') [ -e "$link" ] || ours=yes ;;
esac
if [ "$ours" = no ]; then
  say "$link is not ours and stays; the program of the agent is $target/bin/oakctl"
else
  mkdir -p "${link%/*}"
  ln -sfn "$target/bin/oakctl" "$link"
fi

"$target/bin/oakctl" agent install "$@"
