# SPDX-License-Identifier: GPL-2.0-only
# The group `tracing`, in a mount namespace of the test's own where /etc/group says who it is: a member sees and records
# everything, and changes only what is its own. Without such a group nobody but root does.
if [ -z "${WEIR_NAMESPACE:-}" ] && [ "$(id -u)" = 0 ]; then
	WEIR_NAMESPACE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
. "${top_srcdir:-.}/tests/stress/read_common.sh"
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin # what every user can run
need setpriv unshare
become_root
has_users || skip_all "$no_users"
stress_program read_writer -pthread
mkdir -m 1777 "$tmp/copies"
user() { as_uid 2000 "$@"; }
member() { setpriv --reuid=3000 --regid=3000 --groups=4242 "$@"; }
main_member() { setpriv --reuid=3001 --regid=4242 --clear-groups "$@"; } # it is its main group

run_as() {	# WHO NAME
	[ -e "$tmp/$2" ] || ln "$tmp/read_writer" "$tmp/$2"
	$1 env LD_PRELOAD="$(weir_preload)" "$tmp/$2" -t 1 -n 100
}
sources() { (cd "$mnt/$1" 2>/dev/null && printf '%s\n' *-[0-9]*) | sed 's/-[0-9]*$//' | sort | paste -sd' '; }
sources_as() { $1 bash -c "$(declare -f sources); mnt=$mnt; sources $2"; }

with_group() {	# LINES-OF-/etc/group
	printf '%s\n' "$1" >"$tmp/group"
	mount --bind "$tmp/group" /etc/group || fail "a group file of our own"
	weir_mount
	umount /etc/group
	user mkdir "$mnt/of-user"
	member mkdir "$mnt/of-member"
	main_member mkdir "$mnt/of-main"
	mkdir "$mnt/of-root"
	for t in of-user of-member of-main of-root; do echo 1 >"$mnt/$t/control/enabled"; done
	run_as user by-user
	run_as member by-member
	run_as env by-root
}

with_group "root:x:0:
tracing:x:4242:"
for who in member main_member; do
	is "$who sees all traces" "$($who ls "$mnt" | paste -sd' ')" "of-main of-member of-root of-user"
	is "$who sees all processes of root's" "$(sources_as $who of-root)" "by-member by-root by-user"
	is "$who sees a user's" "$(sources_as $who of-user)" by-user
	is "$who reads everything" "$($who grep -c stress: "$mnt/of-root/text")" 300
	ok "$who copies everything" $who cp -r "$mnt" "$($who mktemp -d "$tmp/copies/XXXXXX")/x"
	ok "$who: babeltrace2" $who babeltrace2 "$mnt/of-root"
	not_ok "$who does not change what is a user's" $who sh -c 'echo 0 >"$1/of-user/control/enabled"' - "$mnt"
	not_ok "$who does not remove it" $who rmdir "$mnt/of-user"
	not_ok "nor root's" $who rmdir "$mnt/of-root"
done
is "a member's trace records all" "$(sources of-member)" "by-member by-root by-user"
is "and so if it is the main group" "$(sources of-main)" "by-member by-root by-user"
is "a user's records that user's" "$(sources of-user)" by-user
is "in a member's trace a user sees its own" "$(sources_as user of-member)" by-user
is "in root's too" "$(sources_as user of-root)" by-user
is "directories belong to the group" "$(stat -c %g "$mnt"/of-root/by-* | sort -u)" 4242
weir_umount
is "the daemon ends" $? 0

with_group "root:x:0:"
is "no group: no member" "$(member ls "$mnt" | paste -sd' ')" "of-member of-root"
is "sees its own" "$(sources_as member of-root)" by-member
is "records its own" "$(sources of-member)" by-member
is "root sees all" "$(sources of-root)" "by-member by-root by-user"
