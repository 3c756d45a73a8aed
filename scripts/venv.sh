# Sourced by the other scripts, from the repository's root: makes .venv and installs this package
# with its tested dependencies, unless that is done for the setup.cfg and constraints.txt of now.
# Arguments: extras to install, e.g. dev. PYTHON=... chooses the interpreter that .venv is made with.

_venv_usable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

_venv_make() {
    local python
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python3.10 python}; do
        if _venv_usable "$python"; then
            echo "making .venv with $("$python" --version)"
            "$python" -m venv --clear .venv
            return
        fi
    done
    echo "error: ${PYTHON:-no Python here} must be Python 3.10 or newer with its venv module;" \
        "install it (Debian, Ubuntu: apt install python3-venv) or set PYTHON=/path/to/python3" >&2
    return 1
}

# All that pip says goes to its log, the larger files of it to the terminal.
_venv_pip() (
    set -o pipefail
    local line large='^ *Downloading ([^ ]*/)?([^ /]+) \((.* [MG]B)\)$'
    .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off "$@" 2>&1 |
        tee -a .venv/pip.log |
        while IFS= read -r line; do
            if [[ $line =~ $large ]]; then echo "    ${BASH_REMATCH[2]}, ${BASH_REMATCH[3]}"; fi
        done
)

_venv_install() {
    local wanted stamp extra=${1:+[$1]}
    [ -x .venv/bin/python ] && _venv_usable .venv/bin/python || _venv_make || return 1
    # a folder that was moved or copied would import the code of its old place
    wanted=$(pwd; cat setup.cfg pyproject.toml scripts/constraints.txt)
    for stamp in .venv/installed-${1:-*}; do
        [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    done
    echo "installing into .venv: PyTorch and what it needs; on Linux a download of 2.6 GB (6 GB on disk)" \
        "with PyTorch's usual build: minutes, as fast as the line is"
    if [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then
        echo "no nvidia-smi here: most of it is CUDA that won't be" \
            "used; for the build without, stop this and put in front of the command:" \
            "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu"
    fi
    echo "files of a megabyte or more, as their download begins (all that pip says: .venv/pip.log):"
    : > .venv/pip.log
    _venv_pip -c scripts/constraints.txt -e ".$extra" &&
        # without its own requirements: it asks for torch 1.9.1, which no current Python runs
        _venv_pip --no-deps solo-learn==1.0.2 || {
            grep -i "^ *error" .venv/pip.log >&2 || tail -n 5 .venv/pip.log >&2
            echo "error: the installation failed, see .venv/pip.log; run this again once mended" >&2
            return 1
        }
    echo "$wanted" > ".venv/installed-${1:-plain}"
}

_venv_install "$@" || exit 1
# with few cores, threads that wait actively take the time of those that work
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
