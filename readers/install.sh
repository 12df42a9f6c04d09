#!/bin/sh
# Installs the programs into .readers/, and nothing outside of it. A program that cannot be had is left out.
cd "$(dirname "$0")/.." && mkdir -p .readers/npm .readers/debian/archives || exit 1

"${PYTHON:-python3}" -m venv .readers/venv
pip=".readers/venv/bin/pip --quiet --disable-pip-version-check"
$pip install -r readers/requirements.txt || xargs -n 1 $pip install --no-deps <readers/requirements.txt

cp readers/package.json readers/package-lock.json .readers/npm
npm ci --silent --ignore-scripts --prefix .readers/npm

cd .readers/debian/archives || exit 1
apt-get -qq update
while read -r package; do
    needed=$(apt-get install --simulate --no-install-recommends "$package" | sed -n 's/^Inst \([^ ]*\).*/\1/p')
    # shellcheck disable=SC2086
    apt-get -qq -o APT::Sandbox::User=root download "$package" $needed
done <../../../readers/debian.txt
for archive in *.deb; do dpkg -x "$archive" ..; done
touch ../../.installed
