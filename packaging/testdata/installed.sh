# Installs a .deb with the dpkg, the packages and the git of this machine, uses it, and removes it: on top of the machine's files, in a layer
# that ends with the mount namespace that this runs in. Arguments: the .deb, its version, and a folder to work in.
set -eu
deb=$1 version=$2 work=$3

mount -t tmpfs none "$work"
mkdir "$work/changes" "$work/internal" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/changes,workdir=$work/internal" "$work/root"
mount -t proc proc "$work/root/proc"
mount --rbind /dev "$work/root/dev"
mount -t tmpfs -o mode=1777 none "$work/root/tmp"
cp "$deb" "$work/root/tmp/it.deb"

within() { chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
nobody() { within setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

within dpkg --path-include='*' -i /tmp/it.deb # whatever this machine leaves out
[ "$(within dpkg-query -W -f '${Status} ${Version}' git-remote-xmpp)" = "install ok installed $version" ]
[ -z "$(within dpkg --verify git-remote-xmpp)" ]
[ "$(nobody git xmpp version)" = "git-remote-xmpp $version" ]
nobody git-remote-xmpp demo
within dpkg -r git-remote-xmpp
for path in usr/bin/git-remote-xmpp usr/bin/git-xmpp usr/share/doc/git-remote-xmpp; do
	[ ! -e "$work/root/$path" ] || { echo "left behind: $path"; exit 1; }
done
echo removed
