# The commands of the house. Logic lives in tests/tools/; here each target is one call.
.PHONY: demo test lint bench soak weakened fmt doc

demo: ## start Chancery with simulated Facebook and X, and watch posts go out
	@tests/tools/install.sh build
	cargo build --locked
	cargo run --locked --quiet -- demo

test: ## install what is lacking, then run every test on both databases
	@tests/tools/test.sh

lint: ## formatting, clippy, documentation, licences
	@tests/tools/lint.sh

bench: ## print the ratios of tests/bench/; nothing here can fail on time
	@tests/tools/install.sh build
	cargo bench --locked --bench '*'

soak: ## the long tests that are marked #[ignore = "soak"]
	@tests/tools/test.sh --soak

weakened: ## take one safeguard after the other out of a copy, and see the model find each
	@tests/tools/install.sh build
	@tests/tools/weakened.sh

fmt: ## format the code
	cargo fmt --all

doc: ## build the documentation of the code
	cargo doc --locked --no-deps --document-private-items
