/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_QUIET_H
#define AO_VIDEO_QUIET_H

/*
 * FFmpeg prints to stderr by a level that belongs to the whole process. Between begin and end it is
 * AV_LOG_QUIET, and the last end puts back what it was before the first begin: a program that uses
 * FFmpeg itself misses its messages only while a call of ours runs. Calls nest, in any thread.
 */
void ao_quiet_begin(void);
void ao_quiet_end(void);

#endif
