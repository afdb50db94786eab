#!/bin/sh
# Installs what Salvus needs and this host lacks: `install.sh run` or `install.sh test`.
# Debian packages where root or sudo is at hand, Python packages into .venv, Sage into
# .venv-sage. Does nothing, quickly, when everything is there.
set -eu
cd "$(dirname "$0")"
purpose=${1:-run}

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

# A Python that sessions under another user id can run too: the system's, not one under
# somebody's home.
find_python() {
    for candidate in "${PYTHON:-}" /usr/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 \
        /usr/bin/python3.11 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
}

# HAProxy and nginx are in a folder that is not on everybody's PATH.
has() { (PATH=$PATH:/usr/sbin; command -v "$1" >/dev/null); }

postgresql_is_there() { ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null; }

debian_packages() {
    python=$(find_python)
    if [ -z "$python" ]; then
        case $(. /etc/os-release; echo "${VERSION_ID:-}") in
            22.04) printf 'python3.11 python3.11-venv ' ;;
            *) printf 'python3 python3-venv ' ;;
        esac
    elif ! "$python" -c 'import ensurepip' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        printf 'python%s-venv ' "$version"
    fi
    # Wheels of pylibmc exist for 3.11; on others it is built.
    if [ -n "$python" ] && [ ! -e .venv ] && ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
        printf 'gcc python3-dev libmemcached-dev zlib1g-dev '
    fi
    postgresql_is_there || printf 'postgresql '
    has memcached || printf 'memcached '
    has haproxy || printf 'haproxy '
    has nginx || printf 'nginx-light '
    if [ "$purpose" = test ]; then
        has stunnel4 || printf 'stunnel4 '
        has faketime || printf 'faketime '
        has openvpn || printf 'openvpn '
        has ip || printf 'iproute2 '
        has ssh || printf 'openssh-client '
        has sshd || printf 'openssh-server '
        command -v chromium >/dev/null || command -v chromium-browser >/dev/null || printf 'chromium '
    fi
}

# What to put before a command that installs packages; fails if there is no way.
way_to_root() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || [ -t 0 ] || return 1
    echo sudo
}

install_debian() {
    missing=$(debian_packages)
    [ -n "$missing" ] || return 0
    if ! root=$(way_to_root); then
        needed=
        for package in $missing; do
            case $package in memcached | haproxy | nginx-light) ;; *) needed=$package ;; esac
        done
        [ -n "$needed" ] || return 0 # does without, and says so
        fail "missing: $missing. As root: apt-get install $missing"
    fi
    say "Installing Debian packages: $missing"
    # Debian starts services of its own; Salvus runs private ones.
    case $missing in *postgresql*)
        $root mkdir -p /etc/postgresql-common/createcluster.d
        echo "create_main_cluster = false" |
            $root tee /etc/postgresql-common/createcluster.d/salvus.conf >/dev/null ;;
    esac
    $root apt-get update -qq
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    for service in memcached haproxy nginx; do
        case $missing in *$service*) end_service $service ;; esac
    done
    case $missing in *openssh-server*) end_service ssh ;; esac
}

end_service() {
    if [ -d /run/systemd/system ]; then
        $root systemctl disable --now "$1" >/dev/null 2>&1 || true
    else
        $root service "$1" stop >/dev/null 2>&1 || true
    fi
}

# environment FOLDER REQUIREMENTS: a virtual environment that has just these, once.
environment() {
    folder=$1
    requirements=$2
    stamp=$folder/.installed
    wanted=$(cat requirements*.txt | cksum)-$requirements
    [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
    [ -e "$folder/bin/python" ] || "$(find_python)" -m venv "$folder"
    "$folder/bin/python" -m pip install -q --disable-pip-version-check -r "$requirements" || return 1
    printf '%s' "$wanted" >"$stamp"
}

sage_fits() {
    [ -e .venv-sage/.installed ] || [ "$(df -Pk . | awk 'NR == 2 { print $4 }')" -gt 6000000 ]
}

install_sage() {
    [ -z "${SALVUS_SAGE_PYTHON:-}" ] || return 0
    case $(cat .venv-sage/.installed 2>/dev/null) in *plain.txt)
        say "Sessions get Python with SymPy; to try to install Sage again, remove .venv-sage."
        return 0 ;;
    esac
    [ -e .venv-sage/.installed ] || say "Installing Sage: about 4 GB, two minutes or more …"
    if ! sage_fits; then
        say "Too little room here for Sage: it needs 6 GB while it is installed."
    elif environment .venv-sage requirements-sage.txt; then
        return 0
    fi
    say "Sage could not be installed (the reason stands above): sessions get Python with SymPy."
    environment .venv-sage requirements-plain.txt
}

install_debian
install_debian # what the Python just installed needs is known only now
[ -n "$(find_python)" ] || fail "Salvus needs Python 3.11 or newer: apt-get install python3 python3-venv"
if [ "$purpose" = test ]; then
    [ -e .venv/.installed ] || say "Installing Python packages …"
    environment .venv requirements-test.txt
elif ! grep -q requirements-test .venv/.installed 2>/dev/null; then
    [ -e .venv/.installed ] || say "Installing Python packages …"
    environment .venv requirements.txt
fi
install_sage
if [ "$purpose" = test ]; then
    environment .venv-plain requirements-plain.txt # what sessions have where Sage can't be
fi
