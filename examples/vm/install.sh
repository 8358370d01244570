#!/bin/sh
# Makes a machine ready for the agent where there is no package for it; pilot-agent and envoy have to be on PATH.
#
#   install.sh FILES [ROOT]     FILES: the --output of `pilotctl x workload entry configure`. ROOT: / if not given; any
#                               other is not a machine but a directory, so that no user and no unit is made.
#
# Run again with new FILES it replaces them; the identity that the agent got meanwhile stays, unless it is another mesh's.
set -eu

root=$(cd "${2:-/}" && pwd)
files=$(cd "${1:?want the directory that pilotctl wrote}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

if [ "$root" = / ] && ! id istio-proxy >/dev/null 2>&1; then
    useradd --system --home-dir /var/lib/istio --shell /usr/sbin/nologin istio-proxy
fi
(
    cd "$root"
    install -d ./usr/local/bin ./var/lib/istio/envoy
    install -m 0755 "$here/pilot-agent-vm" ./usr/local/bin/pilot-agent-vm
    if [ ! -e ./var/lib/istio/envoy/sidecar.env ]; then
        install -m 0644 "$here/sidecar.env" ./var/lib/istio/envoy/sidecar.env
    fi
    if [ "$root" = / ]; then
        install -d ./etc/systemd/system
        install -m 0644 "$here/pilot-agent.service" ./etc/systemd/system/pilot-agent.service
    fi
)
PILOT_VM_ROOT=$root exec "$here/pilot-agent-vm" join "$files"
