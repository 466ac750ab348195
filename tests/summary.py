#!/usr/bin/env python3
"""Counts the test cases of a JUnit log: names every skip with its reason, closes with one line."""
import sys
import xml.etree.ElementTree as tree

passed = failed = skipped = 0
for suite in tree.parse(sys.argv[1]).getroot().iter('testsuite'):
    for case in suite.iter('testcase'):
        name = '%s / %s' % (suite.get('name'), case.get('name'))
        skip = case.find('skipped')
        if case.find('failure') is not None or case.find('error') is not None:
            failed += 1
            print('FAILED  %s' % name)
        elif skip is not None:
            skipped += 1
            print('SKIPPED %s  %s' % (name, skip.get('message') or ''))
        else:
            passed += 1
print('tests took %s s' % sys.argv[2])
print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
sys.exit(failed > 0)
