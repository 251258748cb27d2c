# Everything a developer runs; CI runs `make test` by .ci/run.
# POSIX sh, and no more than Go, git and make to begin with.

GO       ?= go
FUZZTIME ?= 10s
FUZZERS  ?= 1
MINUTES  ?= 2
# Many tests wait most of the time.
PARALLEL ?= 4
PREFIX   ?= /usr/local
GOVULNCHECK ?= golang.org/x/vuln/cmd/govulncheck@v1.9.0
BIN      := $(CURDIR)/bin/git-remote-xmpp

# A missing server is a skipped test for people, and a failure in CI.
ifeq ($(CI),true)
REQUIRE_SERVERS ?= 1
endif
TEST_ENV = REQUIRE_SERVERS=$(REQUIRE_SERVERS) GIT_REMOTE_XMPP_BIN='$(BIN)' GIT_REMOTE_XMPP_TEST_GITS="$$(sh .ci/gits list)"

.PHONY: all build man test test-newest deps gits lint fmt vet staticcheck imports demo bench bench-paths bench-big plots paths soak idle survive fuzz vuln cross dist test-dist reproducible lintian test-wine install clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o '$(BIN)' ./cmd/git-remote-xmpp

# The manual, beside the program. Its source is in doc/man.
MAN := $(BIN:git-remote-xmpp=man)

man:
	mkdir -p '$(MAN)'
	$(GO) tool go-md2man -in doc/man/git-remote-xmpp.1.md -out '$(MAN)/git-remote-xmpp.1'
	$(GO) tool go-md2man -in doc/man/git-xmpp-config.5.md -out '$(MAN)/git-xmpp-config.5'
	cp doc/man/git-xmpp.1 '$(MAN)/git-xmpp.1'

# -count=1: results depend on servers, git and `go list`, which go's cache can't see.
test: deps build lint
	@race=-race; command -v "$$($(GO) env CC)" >/dev/null || { race=; echo "test: no C compiler, so no race detector"; }; \
	set -x; $(TEST_ENV) $(GO) test $$race -count=1 -parallel $(PARALLEL) -timeout 40m ./...

# Once more what depends on git most, with the newest git that Debian has on both sides.
test-newest: build
	@dir=$$(sh .ci/gits newest); [ -n "$$dir" ] || { echo "test-newest: no newest git: make gits"; exit 0; }; \
	set -ex; export PATH="$$dir:$$PATH"; git --version; $(GO) test -count=1 ./internal/repo; \
	$(TEST_ENV) $(GO) test -count=1 -run '$(NEWEST)' -timeout 10m ./integration

NEWEST = ^(TestMainJob|TestGitRepository|TestGitRepositoryFallback)$$

# Installs the servers that tests need, where that is possible.
deps:
	@sh .ci/deps

# The newest and the oldest git that can be had, for tests; they are kept in the user's cache folder.
gits:
	@sh .ci/deps gits
	@sh .ci/gits

lint: fmt vet staticcheck imports

fmt:
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "not gofmt-ed:"; echo "$$bad"; exit 1; }

vet:
	$(GO) vet ./...

staticcheck:
	$(GO) tool staticcheck ./...

imports:
	$(GO) test -count=1 ./internal/imports

demo: build
	'$(BIN)' demo

# What is measured is kept in BENCH_JSON, too.
BENCH_JSON ?= bin/bench.json
BENCH_ENV = $(TEST_ENV) BENCH_JSON='$(abspath $(BENCH_JSON))'

# All but the paths, which take as long as all else.
bench: deps build
	$(BENCH_ENV) $(GO) test -run '^$$' -bench . -skip '^BenchmarkPaths$$' -benchtime 1x -count=1 -timeout 40m ./integration
	$(GO) test -run '^$$' -bench '^(BenchmarkPacketToStanza|BenchmarkStanzaToPacket)$$' -benchmem -count=1 ./transport
	$(MAKE) plots

# One of them: make bench-InBand.
bench-%: deps build
	$(BENCH_ENV) $(GO) test -run '^$$' -bench '^Benchmark$*$$' -benchtime 1x -count=1 -timeout 30m ./integration

# The direct path beside ssh, on the same links.
bench-paths: bench-Paths

# What takes long: large and many things, many peers.
bench-big: deps build
	BENCH_BIG=1 $(BENCH_ENV) $(GO) test -run '^$$' -bench '^(BenchmarkBig|BenchmarkIdlePeers)$$' -benchtime 1x -count=1 -timeout 60m ./integration

# Pictures of what was measured last.
plots:
	$(GO) run ./integration/benchplot '$(BENCH_JSON)' doc

# A push and a clone of 50 MB on each kind of network.
paths: deps build
	$(TEST_ENV) PATHS_FULL=1 $(GO) test -run '^TestPaths$$' -v -count=1 -parallel 1 -timeout 20m ./integration

# Many clients, random pushes, fetches and kills, for so long.
soak: deps build
	$(TEST_ENV) SOAK_SECONDS=$$(($(MINUTES) * 60)) PROPERTY_SECONDS=60 $(GO) test -run '^(TestSoak|TestCrowd)$$' -v -count=1 -p 1 -timeout $$(($(MINUTES) + 15))m ./internal/serve ./integration

# What a serve costs that has nothing to do, over so long.
idle: deps build
	$(TEST_ENV) IDLE_SECONDS=$$(($(MINUTES) * 60)) $(GO) test -run '^TestIdle$$' -v -count=1 -timeout $$(($(MINUTES) * 2 + 10))m ./integration

# Cuts every 3 seconds while 50 MB go, which take a minute without them; and machines that sleep for a minute.
survive: deps build
	$(TEST_ENV) SURVIVE_SECONDS=60 $(GO) test -run '^(TestCutAgainAndAgain|TestSuspended|TestServeSuspended)$$' -v -count=1 -timeout 15m ./integration

# Each fuzz target for FUZZTIME, which may be a number of runs (200x), in FUZZERS processes. Their seeds run in `make test`.
fuzz:
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cache="$$($(GO) env GOCACHE)/fuzz"; \
	for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		$(GO) test -c -fuzz=. -o "$$dir/fuzz" "$$pkg"; \
		for target in $$(cd "$$pkg" && "$$dir/fuzz" -test.list '^Fuzz'); do \
			echo "$$pkg $$target"; \
			(cd "$$pkg" && "$$dir/fuzz" -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) -test.fuzzminimizetime 100x \
				-test.parallel $(FUZZERS) -test.fuzzcachedir "$$cache/git-remote-xmpp/$$pkg") >"$$dir/said" 2>&1 || { cat "$$dir/said"; exit 1; }; \
			grep execs "$$dir/said" | tail -n 1; \
		done; \
	done

# Known vulnerabilities in what the program calls. Their database has to be reached, so it is no part of `make test`; VULNDB is a copy of it.
vuln:
	@GOBIN='$(CURDIR)/bin' $(GO) install $(GOVULNCHECK)
	@status=0; bin/govulncheck $(if $(VULNDB),-db '$(VULNDB)') ./... || status=$$?; case $$status in \
		0|3) ;; \
		*) echo "vuln: NOT CHECKED: see above. It takes https://vuln.go.dev, or a copy of that: make vuln VULNDB=file:///folder" ;; \
	esac; exit $$status

# Every system we build for, tests included (vet compiles them).
cross:
	@set -e; for os in linux darwin windows freebsd; do for arch in amd64 arm64; do \
		echo "$$os/$$arch"; \
		GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 $(GO) vet ./...; \
		GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 $(GO) build -trimpath -o /dev/null ./cmd/git-remote-xmpp; \
	done; done

# Packages, archives, sums and lists of contents, in bin/dist; what `make install` installs is in all of them but Windows'.
# VERSION and SOURCE_DATE_EPOCH are git's if they aren't given.
DISTDIR  ?= $(CURDIR)/bin/dist
CONTACT  ?= git-remote-xmpp developers <git-remote-xmpp@example.org>
RELEASES ?= https://example.org/git-remote-xmpp
TARGETS  ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 freebsd/arm64

dist:
	@rm -rf '$(CURDIR)/bin/stage'
	$(MAKE) install DESTDIR='$(CURDIR)/bin/stage' PREFIX=/usr
	cd packaging && CGO_ENABLED=0 $(GO) run . -root .. -stage ../bin/stage -out '$(DISTDIR)' -contact '$(CONTACT)' -releases '$(RELEASES)' -targets '$(TARGETS)'

# packaging is a module of its own. The packages are made for few systems here, twice; and a .deb is installed.
test-dist:
	staticcheck=$$($(GO) tool -n staticcheck); set -x; cd packaging && export CGO_ENABLED=0 && $(GO) vet ./... && "$$staticcheck" ./... && $(GO) test -count=1 -timeout 10m ./...

# The same for all systems, with everything compiled twice.
reproducible:
	cd packaging && CGO_ENABLED=0 DIST_FRESH=1 DIST_TARGETS='$(TARGETS)' $(GO) test -count=1 -run '^TestDist$$' -timeout 60m .

# What Debian's lintian says of the .deb files.
lintian:
	lintian --fail-on error,warning '$(DISTDIR)'/*.deb

# Unit tests of the Windows build, as far as wine (9 or newer, and large) can: it has no git, and older ones no Unix sockets and links.
WINE          ?= wine
WINE_PACKAGES ?= ./chunk ./protocol ./internal/helper ./internal/doctor ./internal/pushcmd ./internal/schedule ./internal/slots ./internal/xmppserver

test-wine:
	GOOS=windows CGO_ENABLED=0 WINEDEBUG=-all $(GO) test -count=1 -exec '$(WINE)' $(WINE_PACKAGES)

# git-xmpp is another name of the program, for `git xmpp`: a copy where there are no links.
TO      = $(DESTDIR)$(PREFIX)
# Packages of Debian have theirs in share/zsh/vendor-completions.
ZSHDIR ?= share/zsh/site-functions
SCRIPTS = internal/completion/scripts/git-remote-xmpp

install: build man
	@set -ex; mkdir -p '$(TO)/bin' '$(TO)/share/man/man1' '$(TO)/share/man/man5' \
		'$(TO)/share/bash-completion/completions' '$(TO)/$(ZSHDIR)' '$(TO)/share/fish/vendor_conf.d'; \
	exe=$$($(GO) env GOEXE); \
	cp -f '$(BIN)' "$(TO)/bin/git-remote-xmpp$$exe"; \
	if [ -n "$$exe" ]; then cp -f '$(BIN)' "$(TO)/bin/git-xmpp$$exe"; else ln -sf git-remote-xmpp '$(TO)/bin/git-xmpp'; fi; \
	cp '$(MAN)/git-remote-xmpp.1' '$(MAN)/git-xmpp.1' '$(TO)/share/man/man1'; \
	cp '$(MAN)/git-xmpp-config.5' '$(TO)/share/man/man5'; \
	cp $(SCRIPTS).bash '$(TO)/share/bash-completion/completions/git-remote-xmpp'; \
	cp $(SCRIPTS).bash '$(TO)/share/bash-completion/completions/git-xmpp'; \
	cp $(SCRIPTS).zsh '$(TO)/$(ZSHDIR)/_git-xmpp'; \
	: the completion of git that fish has does not look for ours, so ours is read when fish starts; \
	cp $(SCRIPTS).fish '$(TO)/share/fish/vendor_conf.d/git-remote-xmpp.fish'

clean:
	rm -rf bin
