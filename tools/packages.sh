#!/bin/sh
# Installs the Debian packages that the tests run against. Elsewhere, or without root, it says what is missing.
set -eu

packages="keepalived:keepalived nginx:nginx tcpdump:tcpdump tshark:tshark ip:iproute2 frr:frr ipvsadm:ipvsadm
nft:nftables linux:user-mode-linux modprobe:kmod openssl:openssl curl:curl zsh:zsh"
missing=""
for pair in $packages; do
  command=${pair%%:*} package=${pair##*:}
  case $command in
    frr) [ -x /usr/lib/frr/vrrpd ] || missing="$missing $package" ;;
    linux) [ -x /usr/bin/linux.uml ] || command -v linux >/dev/null 2>&1 || missing="$missing $package" ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null 2>&1 || missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
  echo "installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  # The packages' daemons are for the tests alone: none of them is to start by itself.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
    trap 'rm -f $policy' EXIT
  fi
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
  echo "For all tests, install as root:$missing" >&2
  echo "Tests whose program is missing are skipped, each with its reason." >&2
fi
