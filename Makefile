# `make run` installs what is missing and starts Salvus; `make test` tests it.

.PHONY: help run test lint bench vendor words clean

help:
	@echo "make run     install what is missing, start Salvus, print its address"
	@echo "make test    install what the tests need, check and test everything"
	@echo "make lint    ruff and mypy alone"
	@echo "make bench   measure Salvus beside Jupyter Server"
	@echo "make vendor  refresh the browser's third-party code and the protocol's generated code"
	@echo "make words   gather all texts for translators (docs/TRANSLATING.md)"
	@echo "make clean   remove the environments (not the data)"

run:
	@./install.sh run
	@exec .venv/bin/python salvus.py supervise

test: lint
	.venv/bin/python -m pytest

lint:
	@./install.sh test
	.venv/bin/ruff check .
	.venv/bin/mypy

bench:
	@./install.sh test
	.venv/bin/python -m bench

vendor:
	@./install.sh test
	conf/vendor/refresh.sh

words:
	@./install.sh test
	.venv/bin/pybabel -q extract -F conf/words.cfg -k 'N_ _html t tn:1,2' --project=Salvus --omit-header \
		--no-wrap --sort-by-file --add-location=file -o app/languages/messages.pot .

clean:
	rm -rf .venv .venv-sage .venv-plain .venv-bench
