#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that the build and the tests need and that are missing.
#
#     deps.sh [cluster]
#
# `cluster` adds a Slurm for tests/cli/slurm.sh, which is CI's: daemons are nobody's to install on a
# machine where one only builds.
set -eu

packages='gcc g++ meson ninja-build pkg-config
libdnnl-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libjpeg62-turbo-dev
libopencv-video-dev libopencv-imgproc-dev libcairo2-dev fonts-dejavu-core libjansson-dev nettle-dev
libsqlite3-dev libmatio-dev zlib1g-dev libnanopb-dev nanopb protobuf-compiler python3-protobuf python3
libcmocka-dev libsimde-dev libonnx-testdata'

[ "${1:-}" != cluster ] || packages="$packages slurmctld slurmd slurm-client munge"

missing=
for package in $packages; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    if ! command -v sudo >/dev/null; then
        echo "These Debian packages are missing; install them as root:$missing" >&2
        exit 1
    fi
fi
echo "Installing from Debian:$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
