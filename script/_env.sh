# shellcheck shell=bash
# What the commands of script/ share: the machine's packages and the Python environment.
# Sourced after `set -euo pipefail`, with the current folder at the top of the project. It only
# defines things; nothing happens before a function is called.
# shellcheck disable=SC2034 # the lists are for those who source this

# Debian's servers (nginx) are there, and an ordinary user's PATH often is not.
PATH=$PATH:/usr/sbin:/sbin

RUN_PACKAGES=(nginx libnginx-mod-rtmp redis-server fonts-noto-core espeak-ng util-linux)
TEST_PACKAGES=(chromium postgresql shellcheck)

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf 'failed: %s\n' "$*" >&2
  exit 1
}

# Installers talk much; what they said is shown when they fail.
quietly() { # COMMAND...
  local code=0 log
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || code=$?
  if [[ $code -ne 0 ]]; then
    cat "$log" >&2
  fi
  rm -f "$log"
  return "$code"
}

now() { date +%s.%N; }
seconds_since() { # START, as now() gave it: prints "12.3 s"
  awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f s", b - a }'
}

# --- Debian packages ------------------------------------------------------------------------------

is_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

as_root() { # COMMAND...: may_be_root was asked before
  if [[ $EUID -eq 0 ]]; then
    "$@"
  else
    sudo --non-interactive "$@"
  fi
}

may_be_root() { # asks for the password here, once, where the person still sees the question
  [[ $EUID -eq 0 ]] && return
  command -v sudo >/dev/null || return 1
  sudo --non-interactive true 2>/dev/null || { [[ -t 0 ]] && sudo --validate; }
}

# Installing a server must not start it: the service runs its own private nginx and Redis, and the
# machine's owner decides what else runs. Debian asks /usr/sbin/policy-rc.d before starting anything.
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='meeting-streamer: removed when the installation ends'

forbid_service_starts() {
  if [[ -e $POLICY ]] && grep -qF "$POLICY_MARK" "$POLICY"; then
    return # left by an installation that was killed; it goes when this one ends
  fi
  if [[ -e $POLICY || -L $POLICY ]]; then
    as_root mv "$POLICY" "$POLICY.saved"
  fi
  printf '#!/bin/sh\n# %s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY" >/dev/null
  as_root chmod 755 "$POLICY"
}

restore_service_starts() {
  if [[ -e $POLICY.saved || -L $POLICY.saved ]]; then
    as_root mv -f "$POLICY.saved" "$POLICY"
  elif [[ -e $POLICY ]] && grep -qF "$POLICY_MARK" "$POLICY"; then
    as_root rm -f "$POLICY"
  fi
}

# Not started is not enough: Debian also enables what it installs for the next start of the machine.
disable_services() { # NAME...: services that this installation brought
  local name
  for name in "$@"; do
    if command -v systemctl >/dev/null; then
      as_root systemctl disable --quiet "$name" 2>/dev/null || say "could not disable $name"
    elif command -v update-rc.d >/dev/null; then
      as_root update-rc.d "$name" disable >/dev/null || say "could not disable $name"
    fi
  done
}

apt_install() { # PACKAGE...
  local -a fresh=()
  local name
  for name in nginx redis-server postgresql; do
    is_installed "$name" || fresh+=("$name")
  done
  (
    trap restore_service_starts EXIT
    forbid_service_starts || exit 1
    quietly as_root apt-get update || say "the package lists could not be renewed; trying with the old"
    quietly as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
      apt-get install -y --no-install-recommends "$@"
  ) || die "apt-get could not install: $* (its own message is above)"
  for name in "${fresh[@]}"; do
    if is_installed "$name"; then
      disable_services "$name"
    fi
  done
}

ensure_packages() { # PACKAGE...: install those that are missing, or say who must
  local -a missing=()
  local package started
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is not Debian: install yourself what these Debian packages hold: $*"
    return
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  if [[ ${#missing[@]} -eq 0 ]]; then
    return
  fi
  if ! may_be_root; then
    die "these Debian packages are missing: ${missing[*]}
        They cannot be installed without root or sudo. Let root run: apt-get install -y ${missing[*]}"
  fi
  say "installing Debian packages: ${missing[*]}"
  started=$(now)
  apt_install "${missing[@]}"
  say "Debian packages are there ($(seconds_since "$started"))"
}

# --- Python ---------------------------------------------------------------------------------------

find_python() { # prints the first Python that is new enough
  local name
  for name in python3.11 python3 python3.12 python3.13; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

ensure_python() { # sets PYTHON
  local version
  if ! PYTHON=$(find_python); then
    ensure_packages python3 python3-venv
    PYTHON=$(find_python) || die "Python 3.11 or newer is needed, and none is on the PATH"
  fi
  if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    ensure_packages "python$version-venv"
  fi
}

# An environment survives neither a move of its folder nor another Python.
origin() { printf '%s %s\n' "$PWD" "$("$PYTHON" -c 'import sys; print(sys.executable, sys.version)')"; }

# The stamp names everything the environment was made from, so that nothing is done when nothing
# changed.
stamp_of() { # LOCK
  { origin; sha256sum "$1" pyproject.toml; } | sha256sum | cut -d' ' -f1
}

stamp_is() { # FILE HASH
  [[ -x .venv/bin/python && -f $1 && $(<"$1") == "$2" ]]
}

fill_venv() { # LOCK: make .venv hold what the lock names, and the project itself
  local pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input)
  if ! .venv/bin/python -c 'import pip' 2>/dev/null ||
    [[ -f .venv/origin && $(<.venv/origin) != "$(origin)" ]]; then
    say "creating .venv with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear .venv
  fi
  origin >.venv/origin
  rm -f .venv/stamp-*
  say "installing Python packages from $1"
  quietly "${pip[@]}" install --require-hashes --requirement "$1"
  # Needs no index: the build tool is in the lock, and the dependencies were installed above.
  quietly "${pip[@]}" install --no-index --no-deps --no-build-isolation --editable .
}

# Where Python may not write its compiled files by itself, every process of the service would
# compile everything at its start: several seconds on a small machine.
compile_sources() {
  .venv/bin/python -m compileall -q streamer integrations
}

ensure_venv() { # run|dev
  install_venv "$1"
  compile_sources
}

install_venv() { # run|dev
  local kind=$1 lock=requirements.lock started wanted
  ensure_python
  if [[ $kind == dev ]]; then
    lock=requirements-dev.lock
  elif stamp_is .venv/stamp-dev "$(stamp_of requirements-dev.lock)"; then
    return # the development environment holds everything the service needs
  fi
  wanted=$(stamp_of "$lock")
  if stamp_is ".venv/stamp-$kind" "$wanted"; then
    return
  fi
  (
    # Two commands at once: the second waits, then finds the work done.
    flock --wait 900 9 || die "another command has been installing for 15 minutes; look at it first"
    if ! stamp_is ".venv/stamp-$kind" "$wanted"; then
      started=$(now)
      fill_venv "$lock"
      printf '%s\n' "$wanted" >".venv/stamp-$kind"
      say "Python environment is ready ($(seconds_since "$started"))"
    fi
  ) 9<.
}
