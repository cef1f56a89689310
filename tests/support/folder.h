/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_FOLDER_H
#define AO_TESTS_SUPPORT_FOLDER_H

/*
 * A temporary folder of a test's own: set-up and tear-down of cmocka, for each test or a group of
 * them. 0, or another number for failure. What the folder holds goes with it.
 */
int folder_make(void **state);
int folder_remove(void **state);

/* The folder, from folder_make on. */
const char *folder_path(void);

/* "<folder>/<name>" in one of four static buffers in turn: it stays for three more calls. */
const char *in_folder(const char *name);

#endif
