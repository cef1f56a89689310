# SPDX-License-Identifier: Apache-2.0
# Three targets on top of Meson; `meson` and `ninja` do the work.
BUILD ?= build
OUT ?= out

.PHONY: demo test install deps build

demo: build
	$(BUILD)/cli/aosa explain -m demo/model.onnx demo/clip.mp4 -o $(OUT) --force
	@echo "Look at $(OUT)/grid.png and $(OUT)/overlay.mp4"

test: build
	tools/test.sh $(BUILD)

install: build
	meson install -C $(BUILD)

build: deps
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD)
	ninja -C $(BUILD)

# Installs from Debian what is missing; says what; nothing when all is there.
deps:
	@tools/deps.sh
