// SPDX-License-Identifier: Apache-2.0
// Linked against, then left out: the dependency that is not there.
int absent_by_design(void);
int absent_by_design(void) {
  return 1;
}
