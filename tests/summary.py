#!/usr/bin/env python3
"""Counts the test cases of a JUnit log: names every skip with its reason, shows what failing programs said, closes with one line."""
import sys
import xml.etree.ElementTree as tree

LINES = 40  # of a failing program's output


def said(suite):
    """The end of what a program printed, without the cases that passed."""
    text = '\n'.join(suite.findtext(part) or '' for part in ('system-out', 'system-err'))
    return [line for line in text.splitlines() if line.strip() and not line.startswith('ok ')][-LINES:]


passed = failed = skipped = 0
for suite in tree.parse(sys.argv[1]).getroot().iter('testsuite'):
    wrong = False
    for case in suite.iter('testcase'):
        name = '%s / %s' % (suite.get('name'), case.get('name'))
        skip = case.find('skipped')
        if case.find('failure') is not None or case.find('error') is not None:
            failed += 1
            wrong = True
            print('FAILED  %s' % name)
        elif skip is not None:
            skipped += 1
            print('SKIPPED %s  %s' % (name, skip.get('message') or ''))
        else:
            passed += 1
    for line in said(suite) if wrong else ():
        print('    ' + line)
print('tests took %s s' % sys.argv[2])
print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
sys.exit(failed > 0)
