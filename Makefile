# make test    everything: unit, property and end-to-end tests, with all that they need fetched first
# make dev     a local gateway with its own certificates, keyfile, users and mongod
# make transition-demo
#              authentication is turned on for a replica set while applications work (MEMBERS=mongods: mongods carry the keyfile too)
# make bench   the benches of the pure parts, then doorward beside the proxies and the mongod that are found here (docs/performance.md)
# make growth  what an operation costs with more connections, longer messages, more users: docs/growth.tsv and docs/growth.svg
# make instructions            the instructions of each step of the hot path, compared with the accepted ones; needs valgrind
# make instructions-accepted   accepts what they are now
# make fmt, lint, ci

CARGO ?= cargo

.PHONY: test dev transition-demo bench growth instructions instructions-accepted fmt lint ci

test:
	tests/support/run-tests

dev:
	$(CARGO) run --locked -- dev $(if $(MONGOD),--mongod "$(MONGOD)")

transition-demo:
	tests/support/transition-demo $(or $(MEMBERS),doorwards)

bench:
	$(CARGO) bench --bench authz --bench codec --bench ownership --bench readiness --bench scram --bench x509 -- --quick
	$(CARGO) bench --bench end_to_end

growth:
	$(CARGO) bench --bench end_to_end -- --only growth > docs/growth.tsv
	python3 benches/plot-growth docs/growth.tsv docs/growth.svg

# Built as the tests are, which shares what they depend on, but the pure logic alone and as one unit of code: otherwise the compiler
# divides it anew whenever any of it changes, and single counts move by a tenth.
COUNTED = CARGO_INCREMENTAL=0 $(CARGO) test --locked --no-default-features --bench hot_path \
	--config profile.dev.package.doorward.codegen-units=1

instructions:
	$(COUNTED)

instructions-accepted:
	$(COUNTED) -- --accept

fmt:
	$(CARGO) fmt

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	$(CARGO) check --locked --lib --no-default-features

ci:
	bash .ci/run
