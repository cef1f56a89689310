/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* madvise */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool ao_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool ao_path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

const char *ao_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

aosa_status ao_file_open(struct ao_file *file, const char *path)
{
    *file = (struct ao_file){ 0 };
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused just below. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return ao_fail(AOSA_ERR_INPUT, "%s: %s", path, strerror(errno));

    struct stat info;
    aosa_status status = AOSA_OK;
    void *bytes = NULL;
    if (fstat(fd, &info) != 0)
        status = ao_fail(AOSA_ERR_INPUT, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = ao_fail(AOSA_ERR_INPUT, "%s: not a regular file", path);
    else if (info.st_size > 0) {
        bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            status = ao_fail(AOSA_ERR_INPUT, "%s: %s", path, strerror(errno));
    }
    close(fd);
    if (status != AOSA_OK)
        return status;
    file->bytes = bytes;
    file->size = (size_t)info.st_size;
    return AOSA_OK;
}

void ao_file_release(const struct ao_file *file)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)file->bytes + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)file->bytes + file->size) / page * page;
    if (file->bytes && begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void ao_file_close(struct ao_file *file)
{
    if (file->bytes)
        munmap((void *)(uintptr_t)file->bytes, file->size);
    *file = (struct ao_file){ 0 };
}

static bool write_all(int fd, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

void ao_file_discard(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISREG(info.st_mode))
        unlink(path);
}

aosa_status ao_file_write(const char *path, const void *bytes, size_t size)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return ao_fail(AOSA_ERR_OUTPUT, "%s: %s", path, strerror(errno));

    const bool written = write_all(fd, bytes, size);
    const int reason = errno;
    const bool closed = close(fd) == 0; /* network file systems report a full disk here */
    if (written && closed)
        return AOSA_OK;
    const aosa_status status = ao_fail(AOSA_ERR_OUTPUT, "%s: %s (%zu bytes)", path,
                                       strerror(written ? errno : reason), size);
    ao_file_discard(path);
    return status;
}
