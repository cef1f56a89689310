/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_VIDEO_FOLDER_H
#define AO_VIDEO_FOLDER_H

#include "core/sha256.h"
#include "video/source.h"

/*
 * The frames of a folder: files <prefix><number>.jpg or .jpeg with one prefix, such as
 * image_00001.jpg, img_1.jpg, 00001.jpg, frame000001.jpg, numbered from 0 or 1 without gaps. Other
 * files are ignored, and so are hidden ones.
 */
struct ao_frame_list {
    const char *folder; /* borrowed */
    struct ao_frame_file *files;
    size_t n, capacity;
};

/* AOSA_ERR_INPUT: cannot be listed. AOSA_ERR_FORMAT: no frames, two prefixes, or a gap, with the
 * name of the missing file. `folder` stays borrowed until the close. */
aosa_status ao_frame_list_open(struct ao_frame_list *list, const char *folder);
void ao_frame_list_close(struct ao_frame_list *list);

/*
 * Decodes the sampled frames, which exist. All have the size of the first. *warnings counts what
 * the decoder worked around. sha256 is of the lines "<sha256 of the file>  <name>\n" of the frames
 * read, as sha256sum prints them.
 */
aosa_status ao_frame_list_read(const struct ao_frame_list *list, const struct ao_sampling *sampling,
                               ao_frame_fn take, void *context, int *warnings,
                               char sha256[AO_SHA256_TEXT]);

#endif
