// Tests that labels, directories, links and make targets in documents exist.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { podOf, renderOverlay } from '../support/deployment/deployment.ts';
import { documentTexts, occurrences, ROOT } from '../support/names/documents.ts';

const DOCUMENTS = documentTexts();

t.test('directories, pods and containers in kubectl commands exist', async (t) => {
  const directories = occurrences(DOCUMENTS, /--kustomize (manifests\/\w+)/g);
  t.ok(directories.length > 2);
  for (const {
    path,
    groups: [directory = ''],
  } of directories)
    t.ok(existsSync(join(ROOT, directory)), `${path}: ${directory}`);
  const daemonSet = renderOverlay('base').find(({ kind }) => kind === 'DaemonSet');
  const labels = occurrences(DOCUMENTS, /(?:\s-l|--selector)[ =]([\w./]+=\w+)/g);
  t.ok(labels.length > 1);
  for (const {
    path,
    groups: [label = ''],
  } of labels) {
    const [name = '', value] = label.split('=');
    t.match(daemonSet, { spec: { template: { metadata: { labels: { [name]: value } } } } }, `${path}: ${label}`);
  }
  const names = podOf(renderOverlay('base')).containers.map(({ name }) => name);
  for (const {
    path,
    groups: [name = ''],
  } of occurrences(DOCUMENTS, / -c (\w+) /g))
    t.ok(names.includes(name), `${path}: ${name}`);
});

t.test('links resolve', async (t) => {
  const links = occurrences(DOCUMENTS, /\]\((?!https?:|#)([^)#\s]+)/g);
  t.ok(links.length > 20);
  for (const {
    path,
    groups: [link = ''],
  } of links)
    t.ok(existsSync(join(ROOT, dirname(path), link)), `${path}: ${link}`);
});

t.test('make targets exist', async (t) => {
  const makefile = readFileSync(join(ROOT, 'Makefile'), 'utf8');
  for (const {
    path,
    groups: [target = ''],
  } of occurrences(DOCUMENTS, /(?:^ {4}|`)make ([a-z0-9-]+)/gm)) {
    t.ok(new RegExp(`^${target}:`, 'm').test(makefile), `${path}: make ${target}`);
  }
});
