#!/usr/bin/env python3
"""Flatten one cl/NAME.cl (quoted includes from cl/include, each once) into a C byte array.

#line directives keep the original file and line, so the compiler's log points into the source tree.
A byte array, because -Wpedantic rejects string literals over 4095 characters.
"""
import argparse
import os
import re

INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')


def flatten(path, root, seen):
    rel = os.path.relpath(path, root)
    out = ['#line 1 "%s"' % rel]
    seen.append(path)
    with open(path, encoding='ascii') as f:
        for number, line in enumerate(f, 1):
            match = INCLUDE.match(line)
            if not match:
                out.append(line.rstrip('\n'))
                continue
            include = os.path.join(root, 'cl', 'include', match.group(1))
            if include not in seen:
                out += flatten(include, root, seen)
            out.append('#line %d "%s"' % (number + 1, rel))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--root', required=True)
    parser.add_argument('--dep', required=True)
    parser.add_argument('src')
    parser.add_argument('dst')
    args = parser.parse_args()
    seen = []
    src = os.path.abspath(args.src)
    data = ('\n'.join(flatten(src, os.path.abspath(args.root), seen)) + '\n').encode('ascii') + b'\0'
    name = os.path.basename(src)[:-3]
    with open(args.dst, 'w') as f:
        f.write('/* generated from cl/%s.cl */\n#include "base/source.h"\nCLV_SOURCE(%s);\n' % (name, name))
        f.write('static const char text[] = {')
        for i in range(0, len(data), 16):
            f.write('\n' + ','.join(str(b) for b in data[i:i + 16]) + ',')
        f.write('\n};\nconst struct clv_source clv_cl_%s = {"%s", text};\n' % (name, name))
    with open(args.dep, 'w') as f:
        f.write('%s: %s\n' % (args.dst, ' '.join(seen)))


main()
