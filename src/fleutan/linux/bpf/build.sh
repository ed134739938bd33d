#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the *.bpf.c beside this file of which the object takes its name: build.sh PATH/sockets.bpf.o
# With the same compiler and headers it gives the same bytes: no path of the machine gets into the
# object.  What it was built with goes into PATH/sockets.bpf.o.txt, for whoever compares.
set -eu

folder=$(cd "$(dirname "$1")" && pwd)
object=$folder/$(basename "$1")
source=$(basename "$1" .o).c
cd "$(dirname "$0")"
include=$(pkg-config --variable=includedir libbpf 2>/dev/null || echo /usr/include)

clang -O2 -g -target bpf -mcpu=v2 -Wall -Wextra -Werror -I"$include" \
	-fdebug-compilation-dir=. -ffile-prefix-map="$include"/= -c "$source" -o "$object"
llvm-strip -g "$object"
{
	clang --version | sed -n 's/.*\(clang version [0-9.]*\).*/\1/p'
	printf 'libbpf %s.%s\n' $(sed -n 's/^#define LIBBPF_M[A-Z]*_VERSION //p' "$include"/bpf/libbpf_version.h)
} >"$object.txt"
