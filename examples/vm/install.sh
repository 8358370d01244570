#!/bin/sh
# Puts what `pilotctl x workload entry configure` wrote where the agent of a virtual machine reads it.
#
#   install.sh FILES [ROOT]     FILES: its --output. ROOT: / if not given; any other is not a machine but a directory,
#                               so neither a user is made nor the host's names are touched.
#
# Run again with new FILES it replaces them; the identity that the agent got meanwhile stays.
set -eu

files=$(cd "${1:?want the directory that pilotctl wrote}" && pwd)
root=$(cd "${2:-/}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
for name in cluster.env mesh.yaml root-cert.pem istio-token hosts; do
    if [ ! -r "$files/$name" ]; then
        echo "install.sh: $files/$name is missing; run 'pilotctl x workload entry configure --output $files' first" >&2
        exit 1
    fi
done

cd "$root"
owner=
if [ "$root" = / ]; then
    id istio-proxy >/dev/null 2>&1 || useradd --system --home-dir /var/lib/istio --shell /usr/sbin/nologin istio-proxy
    owner="-o istio-proxy -g istio-proxy"
fi
install -d ./etc/istio/config ./var/lib/istio/envoy ./usr/local/bin
install -d -m 0750 $owner ./etc/istio/proxy ./etc/certs ./var/run/secrets/tokens
install -m 0644 "$files/cluster.env" ./var/lib/istio/envoy/cluster.env
install -m 0644 "$files/mesh.yaml" ./etc/istio/config/mesh
install -m 0644 $owner "$files/root-cert.pem" ./etc/certs/root-cert.pem
install -m 0600 $owner "$files/istio-token" ./var/run/secrets/tokens/istio-token
install -m 0755 "$here/pilot-agent-vm" ./usr/local/bin/pilot-agent-vm
if [ ! -e ./var/lib/istio/envoy/sidecar.env ]; then
    install -m 0644 "$here/sidecar.env" ./var/lib/istio/envoy/sidecar.env
fi
if [ "$root" = / ]; then
    install -m 0644 "$here/pilot-agent.service" /etc/systemd/system/pilot-agent.service
    while read -r line; do
        grep -qxF "$line" /etc/hosts || echo "$line" >>/etc/hosts
    done <"$files/hosts"
fi
