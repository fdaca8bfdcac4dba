# shellcheck shell=sh
# The same trust as /etc/environment, for shells that did not come in by PAM.
set -a
# shellcheck disable=SC1091
. /etc/environment
set +a
