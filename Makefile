# `make` brings a fresh clone to runnable commands in build/bin. README explains the rest.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
NODE_OK := $(shell node -e 'process.stdout.write(Number(process.versions.node.split(".")[0]) >= 20 ? "yes" : "no")' 2>/dev/null)
# Headers of this very Node, when it came with them: then compiling native packages downloads nothing.
NODE_PREFIX := $(shell node -p 'path.dirname(path.dirname(fs.realpathSync(process.execPath)))' 2>/dev/null)
ifneq ($(wildcard $(NODE_PREFIX)/include/node/node.h),)
export npm_config_nodedir := $(NODE_PREFIX)
endif

.PHONY: all check check-imports check-unused check-deb check-deploy deb npm-pack proto release test demo bench bench-objects soak sim sim-scale sim-mutations clean prepush vm vm-deb
.DELETE_ON_ERROR:

all: build/.compiled build/.zone build/bin/marlin

node_modules/.installed: package.json package-lock.json
ifneq ($(NODE_OK),yes)
	$(error Marlin needs Node.js 20 or newer: install it, then run make again)
endif
	tools/build/prerequisites.sh
	@echo 'Installing packages and compiling the native ones (SQLite): this takes some minutes'
	JOBS=max npm ci --no-audit --no-fund
	touch $@

SOURCES := $(shell find src test tools -mindepth 1 -name '*.ts' -o -mindepth 1 -type d 2>/dev/null)
PAGE := $(wildcard src/cli/mrjobreport/page/*)
build/.compiled: node_modules/.installed tsconfig.json $(SOURCES) $(PAGE)
	tsc
	cp -r src/cli/mrjobreport/page build/src/cli/mrjobreport/
	touch $@

# What a zone sees as /opt/marlin: node, the lackey and the tools for user commands.
build/.zone: build/.compiled tools/build/zone.sh tools/build/bundle.cjs tools/deploy/smf/marlin-lackey.xml src/lackey/launcher.c $(shell find src/zonetools -type f 2>/dev/null)
	tools/build/zone.sh build/zone
	touch $@

# What the driver `smartos` needs beside commands; only illumos has the calls.
ifeq ($(shell uname -s),SunOS)
all: build/zone-helper build/node/bin/node
build/node/bin/node: build/.zone
	mkdir -p $(@D)
	ln -sf ../../zone/build/node/bin/node $@
HELPER := src/agent/zones/drivers/smartos/native
build/zone-helper: $(wildcard $(HELPER)/*.[ch]) build/.compiled
	$${CC:-gcc} -std=gnu11 -O2 -Wall -Wextra -D_XPG4_2 -D__EXTENSIONS__ -o $@ $(HELPER)/*.c -lsocket -lcontract
endif

build/bin/marlin: tools/build/commands.sh build/.compiled
	tools/build/commands.sh build/bin

# Compiling is the type check.
check: build/.compiled
	biome check --error-on-warnings .
	$(MAKE) --no-print-directory --jobs=2 --output-sync check-imports check-unused
check-imports:
	depcruise src
check-unused:
	knip

test: all
	tools/build/test.sh

demo: all
	build/bin/marlin demo

bench: all
	env -u NODE_EXTRA_CA_CERTS node build/tools/bench/main.js
	env -u NODE_EXTRA_CA_CERTS node build/tools/bench/overhead.js
	env -u NODE_EXTRA_CA_CERTS node build/tools/bench/zones.js
	env -u NODE_EXTRA_CA_CERTS node build/tools/bench/supervisor.js

# Objects in and out, beside nginx (Debian's nginx-light is enough). 40 GB of disk; SIZES='4k 1m' does without.
bench-objects: all
	env -u NODE_EXTRA_CA_CERTS node build/tools/bench/objects.js $(SIZES)

# Supervisors in virtual time with everything that can go wrong: SEEDS=200 by default, about four a second.
sim: all
	node build/test/sim/main.js

# Large jobs and many jobs in virtual time: memory and cost. Minutes; settings are in test/sim/scale.ts.
sim-scale: all
	node --expose-gc --max-old-space-size=14000 --max-semi-space-size=128 build/test/sim/scale.js

# Shows that the simulation finds defects; tens of minutes.
sim-mutations: all
	node build/tools/sim/mutations.js

# Long: about ten minutes.
soak: all
	env -u NODE_EXTRA_CA_CERTS node build/tools/soak/main.js
	env -u NODE_EXTRA_CA_CERTS node build/tools/soak/storage.js

# The limits of zones on a kernel with control groups of version 2 alone, in an emulated machine.
vm: all
	test/vm/run.sh build/test/integration/zones/limits.test.js

# The Debian package installed, upgraded and removed in a Debian with systemd: a container, a minute; or an emulated
# machine, a quarter of an hour and more, which also has zones in control groups.
check-deb: deb
	test/vm/deb-container.sh

vm-deb: deb
	test/vm/deb.sh

prepush: check test

# Packages, in build/: Debian's, with a Node of its own; npm's, with the operators' client tools alone.
deb: all
	tools/build/deb.sh build/deb

npm-pack: all
	tools/build/npm-pack.sh build/npm

# What SmartOS machines get: the tree below build/proto; and its archives, named by branch, time and commit.
proto: all
	tools/build/release.sh build
release: STAMP ?= $(shell git rev-parse --abbrev-ref HEAD)-$(shell date -u +%Y%m%dT%H%M%SZ)-g$(shell git rev-parse --short HEAD)
release: all
	tools/build/release.sh build $(STAMP)

# What lint cannot know: units, manifests, scripts.
check-deploy: deb
	tools/build/check-deploy.sh

clean:
	rm -rf build .tap
