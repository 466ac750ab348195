#!/usr/bin/env python3
"""Write model files as C byte arrays and the table clv_builtin_models of src/model/model.h.

Byte arrays, because -Wpedantic rejects string literals over 4095 characters.
"""
import argparse
import os


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('dst')
    parser.add_argument('src', nargs='+')
    args = parser.parse_args()
    with open(args.dst, 'w') as f:
        f.write('/* generated from share/models */\n#include "model/model.h"\n')
        for i, src in enumerate(args.src):
            with open(src, 'rb') as model:
                data = model.read() + b'\0'
            f.write('static const char text_%d[] = {' % i)
            for k in range(0, len(data), 16):
                f.write('\n' + ','.join(str(b) for b in data[k:k + 16]) + ',')
            f.write('\n};\n')
        f.write('const struct clv_builtin_model clv_builtin_models[] = {\n')
        for i, src in enumerate(args.src):
            f.write('    {"%s", text_%d},\n' % (os.path.basename(src)[:-len('.model')], i))
        f.write('    {0},\n};\n')


main()
