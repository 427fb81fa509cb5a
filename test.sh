#!/bin/sh
# Runs the tests of Kinpass, and brings what they need.
#
#   ./test.sh            format, vet, all tests, most of them with the race detector
#   ./test.sh interop    tests against independent implementations (needs npm)
#   ./test.sh long       the same tests with the long ones
#   ./test.sh bench      benchmarks
#   ./test.sh pages      sizes and times of the pages, in Chromium
#   ./test.sh fuzz       every fuzz target for $FUZZTIME (default 30s)
#   ./test.sh check      format, vet, staticcheck and known vulnerabilities
#
# It needs Go, gcc (for the race detector), PostgreSQL 15 or newer and Chromium
# (for the pages). What is missing is installed with apt where that is allowed (root, or sudo without a
# password); elsewhere the line to type is printed. PostgreSQL runs on a free
# port from a directory that is deleted at the end; a server of your own is used
# instead when KINPASS_TEST_POSTGRES holds its URL.
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

case "${1-}" in
	-h|--help|help) sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
	''|interop|long|bench|pages|fuzz|check) mode=${1:-all} ;;
	*) die "unknown: $1 (see ./test.sh help)" ;;
esac

# install COMMAND PACKAGE…: get the packages that bring COMMAND, or say how.
install() {
	what=$1
	shift
	if command -v apt-get >/dev/null 2>&1; then
		if [ "$(id -u)" = 0 ]; then
			sudo=
		elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
			sudo='sudo -n'
		else
			die "$what is missing. Type: sudo apt-get install -y $*"
		fi
		say "installing $* (for $what)"
		# shellcheck disable=SC2086 # an empty $sudo must vanish
		{ $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } >&2 ||
			die "$what is missing. Type: apt-get install -y $*"
	else
		die "$what is missing. Install it; on Debian: apt-get install -y $*"
	fi
}

command -v go >/dev/null 2>&1 || die "Go is missing. Install Go 1.26 or newer from https://go.dev/dl/"

# pg_bin prints the directory of the newest PostgreSQL server, 15 or newer.
pg_bin() {
	best=0
	dir=
	for d in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin "$(dirname "$(command -v postgres 2>/dev/null || echo /none/x)")"; do
		[ -x "$d/initdb" ] && [ -x "$d/pg_ctl" ] || continue
		v=$("$d/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
		[ "${v:-0}" -gt "$best" ] && best=$v && dir=$d
	done
	[ "$best" -ge 15 ] && printf '%s\n' "$dir"
}

work=
pg_dir=
stop() {
	status=$?
	trap - EXIT INT TERM HUP
	if [ -n "$pg_dir" ]; then
		as_pg "$bin/pg_ctl" -D "$pg_dir/data" -m immediate -w stop >/dev/null 2>&1 || true
	fi
	[ -n "$work" ] && rm -rf "$work"
	[ -n "$pg_dir" ] && rm -rf "$pg_dir"
	exit "$status"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(mktemp -d)

# as_pg runs a command as the user that PostgreSQL runs under: it refuses root.
as_pg() {
	if [ -n "$pg_user" ]; then
		setpriv --reuid "$pg_user" --regid "$(id -g "$pg_user")" --clear-groups env HOME="$pg_dir" "$@"
	else
		"$@"
	fi
}

start_postgres() {
	if [ -n "${KINPASS_TEST_POSTGRES-}" ]; then
		say "PostgreSQL: the one in KINPASS_TEST_POSTGRES"
		return
	fi
	bin=$(pg_bin) || bin=
	if [ -z "$bin" ]; then
		install "PostgreSQL 15 or newer" postgresql
		bin=$(pg_bin) || die "PostgreSQL is older than 15. Install a newer one from https://www.postgresql.org/download/ or set KINPASS_TEST_POSTGRES to the URL of a server"
	fi
	pg_user=
	if [ "$(id -u)" = 0 ]; then
		for pg_user in postgres nobody; do
			id "$pg_user" >/dev/null 2>&1 && break
		done
		command -v setpriv >/dev/null 2>&1 || install setpriv util-linux
	fi
	if [ -n "$pg_user" ]; then
		pg_dir=$(TMPDIR=/tmp mktemp -d) # where another user can reach it
	else
		pg_dir=$(mktemp -d)
	fi
	password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	printf '%s\n' "$password" >"$pg_dir/password"
	chmod 600 "$pg_dir/password"
	[ -z "$pg_user" ] || chown -R "$pg_user" "$pg_dir"
	as_pg "$bin/initdb" -D "$pg_dir/data" -U kinpass -A scram-sha-256 --pwfile="$pg_dir/password" -E UTF8 --locale=C --no-sync >"$work/initdb" 2>&1 ||
		{ cat "$work/initdb" >&2; die "PostgreSQL could not be set up"; }
	# Tests do not wait for the disk; benchmarks do, so that their figures are
	# those of durable commits.
	fast="-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
	[ "$mode" != bench ] || fast=
	try=0
	while :; do
		port=$((20000 + ($$ * 7 + try * 997 + $(od -An -N2 -tu2 /dev/urandom)) % 30000))
		if as_pg "$bin/pg_ctl" -D "$pg_dir/data" -l "$pg_dir/log" -w -t 60 -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='' -c max_connections=500 -c shared_buffers=128MB $fast" start >/dev/null 2>&1; then
			break
		fi
		try=$((try + 1))
		[ "$try" -lt 10 ] || { cat "$pg_dir/log" >&2; die "PostgreSQL did not start"; }
	done
	say "PostgreSQL $("$bin/postgres" --version | sed 's/[^0-9]*\([0-9.]*\).*/\1/') on port $port"
	KINPASS_TEST_POSTGRES="postgres://kinpass:$password@127.0.0.1:$port/postgres?sslmode=disable"
	export KINPASS_TEST_POSTGRES
}

# find_chromium brings the browser that the pages are tested in, with fonts for
# the scripts that the pages are written in.
find_chromium() {
	for c in "${KINPASS_CHROMIUM-}" chromium chromium-browser google-chrome; do
		[ -z "$c" ] || ! command -v "$c" >/dev/null 2>&1 || return 0
	done
	install Chromium chromium fonts-dejavu-core fonts-lohit-deva
}

format() {
	unformatted=$(gofmt -l .)
	[ -z "$unformatted" ] || die "not formatted:
$unformatted
Type: gofmt -w ."
	say "gofmt: ok"
	go vet ./...
	go vet -tags interop ./...
	GOOS=js GOARCH=wasm go vet ./web/border/wasm
	say "go vet: ok"
}

# raced ARGUMENT…: go test with the race detector. SQLite is C that was translated
# to Go, and arithmetic keeps its memory to itself: the race detector finds nothing
# in them but takes most of its time there. Only packages without locks and atomic
# values may stand here: what those order would be lost.
raced() {
	for package in modernc.org/... math/big compress/flate github.com/klauspost/compress/flate \
		crypto/internal/fips140/edwards25519/... crypto/internal/fips140/nistec/... crypto/internal/fips140/bigmod \
		crypto/internal/fips140/sha256 crypto/internal/fips140/sha512 filippo.io/edwards25519/... \
		golang.org/x/crypto/argon2 golang.org/x/crypto/blake2b github.com/skip2/go-qrcode/...; do
		set -- "-gcflags=$package=-race=false -d=checkptr=0" "$@"
	done
	go test -race "$@"
}

# run_tests ARGUMENT…: go test, and how long each package took.
run_tests() {
	command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 || install "a C compiler (for the race detector)" gcc libc6-dev
	# A program with the race detector sleeps a second before it ends, and the
	# scripts start hundreds.
	export CGO_ENABLED=1 GORACE="${GORACE-atexit_sleep_ms=0}"
	# Without a database a test fails; it is never skipped unseen.
	export KINPASS_REQUIRE_POSTGRES=1
	# Nor is a page passed over because there is no browser.
	find_chromium
	export KINPASS_REQUIRE_BROWSER=1
	begin=$(date +%s)
	{
		status=0
		if [ "$mode" = all ]; then
			# The tests of the command line start hundreds of processes, those of the
			# pages wait for a browser, and in the packages that decide, parse and sign
			# nothing runs at the same time but in the tests that say so: all of it takes
			# minutes more under the race detector, as do those of the issuer that read or
			# write very much. "long" has them with it.
			slow='/cmd/internal/(cli|pagetest|wasmtest)$'
			pure='/cmd/internal/simulate$|/internal/(bundle|did|keys|legacy|policy|qr|rdf|status|tlog|trust|vc)$|/verifier/(check|post)$'
			# Half of the packages at a time beside the others: the longest of them are
			# the longest of all, and wait for their browser and their processes.
			cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
			{
				# shellcheck disable=SC2046 # one word for each package
				go test -p $(((cores + 1) / 2)) -shuffle=on -timeout 20m $(go list ./... | grep -E "$slow") || echo failed >"$work/plain"
			} >"$work/beside" 2>&1 &
			# shellcheck disable=SC2046
			raced -shuffle=on -timeout 20m $(go list ./... | grep -Ev "$slow|$pure") || status=$?
			raced -shuffle=on -timeout 15m -run 'AtOnce|Concurrent' ./internal/qr ./internal/rdf ./verifier/check || status=$?
			# shellcheck disable=SC2046
			go test -shuffle=on -timeout 15m $(go list ./... | grep -E "$pure") || status=$?
			go test -shuffle=on -timeout 15m -run 'Import|Killed|Made|EveryForm' ./issuer || status=$?
			wait
			cat "$work/beside"
			[ ! -f "$work/plain" ] || status=1
		else
			raced -shuffle=on "$@" || status=$?
		fi
		echo "$status" >"$work/status"
	} 2>&1 | tee "$work/log"
	echo
	echo "time per package:"
	awk '$1 == "ok" || $1 == "FAIL" { for (i = 3; i <= NF; i++) if ($i ~ /^[0-9.]+s$/) { printf "%9s  %s\n", $i, $2; break } }' "$work/log" | sort -rn
	echo "$(($(date +%s) - begin)) s in all"
	return "$(cat "$work/status")"
}

case $mode in
all)
	start_postgres
	format
	run_tests
	;;
long)
	start_postgres
	KINPASS_LONG=1
	export KINPASS_LONG
	run_tests -timeout 2h ./...
	;;
interop)
	# What compares with implementations from npm is behind the build tag interop.
	packages=$(grep -rl --include='*_test.go' '^//go:build interop' . | xargs -r -n1 dirname | sort -u)
	if [ -z "$packages" ]; then
		say "there are no interoperability tests in this tree"
		exit 0
	fi
	command -v npm >/dev/null 2>&1 || install npm nodejs npm
	# shellcheck disable=SC2086 # one word for each package
	run_tests -timeout 30m -tags interop -run Interop -v $packages
	;;
bench)
	start_postgres
	# One package after the other, so that they do not compete for the cores.
	go test -p 1 -run '^$' -bench . -benchmem -timeout 1h ./... | grep -v 'no test files'
	;;
pages)
	find_chromium
	export KINPASS_REQUIRE_BROWSER=1 KINPASS_PAGES="$work/pages"
	status=0
	go test ./cmd/internal/pagetest -count=1 -run '^TestPagesAreLight$' >"$work/log" || status=$?
	[ ! -f "$work/pages" ] || cat "$work/pages"
	[ "$status" = 0 ] || cat "$work/log" >&2
	exit "$status"
	;;
fuzz)
	start_postgres
	for p in $(go list ./...); do
		for f in $(go test -list '^Fuzz' "$p" | grep '^Fuzz' || true); do
			say "$p $f"
			# Making a large input small takes longer than finding the next one.
			go test -run '^$' -fuzz "^$f\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 5x "$p"
		done
	done
	;;
check)
	format
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	say "staticcheck: ok"
	# Without its database there is nothing to compare with, and that is said.
	if go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./... >"$work/vuln" 2>&1; then
		say "govulncheck: ok"
	elif grep -q -e 'fetching vulnerabilities' -e 'vuln.go.dev' -e 'reading https' "$work/vuln"; then
		say "govulncheck: skipped, it or its database cannot be reached"
	else
		cat "$work/vuln" >&2
		die "govulncheck: see above"
	fi
	;;
esac
