/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/message.h"

#include <string.h>

#include <pb_decode.h>

#include "core/alloc.h"

#define MAX_MESSAGES 2000000

struct reader {
    struct ao_arena *arena;
    const char *begin, *end; /* of the file */
    int64_t n_messages;
    aosa_status status; /* of our own checks; nanopb's errors leave it at AOSA_OK */
};

/*
 * nanopb hands a field's callback the message it belongs to and nothing else, so each message
 * lies behind a head that leads back to its reader.
 */
struct head {
    struct reader *reader;
    int64_t depth;
};

static struct head *head_of(void *message)
{
    return (struct head *)message - 1;
}

static const struct {
    const pb_msgdesc_t *fields;
    size_t size;
} message_sizes[] = {
    { ao_onnx_Entry_fields, sizeof(ao_onnx_Entry) },
    { ao_onnx_Opset_fields, sizeof(ao_onnx_Opset) },
    { ao_onnx_Tensor_fields, sizeof(ao_onnx_Tensor) },
    { ao_onnx_Dim_fields, sizeof(ao_onnx_Dim) },
    { ao_onnx_Shape_fields, sizeof(ao_onnx_Shape) },
    { ao_onnx_TensorType_fields, sizeof(ao_onnx_TensorType) },
    { ao_onnx_Type_fields, sizeof(ao_onnx_Type) },
    { ao_onnx_ValueInfo_fields, sizeof(ao_onnx_ValueInfo) },
    { ao_onnx_Sparse_fields, sizeof(ao_onnx_Sparse) },
    { ao_onnx_Attribute_fields, sizeof(ao_onnx_Attribute) },
    { ao_onnx_Node_fields, sizeof(ao_onnx_Node) },
    { ao_onnx_Graph_fields, sizeof(ao_onnx_Graph) },
    { ao_onnx_Function_fields, sizeof(ao_onnx_Function) },
    { ao_onnx_Model_fields, sizeof(ao_onnx_Model) },
};

static size_t message_size(const pb_msgdesc_t *fields)
{
    for (size_t i = 0; i < sizeof message_sizes / sizeof *message_sizes; i++)
        if (message_sizes[i].fields == fields)
            return message_sizes[i].size;
    return 0;
}

/* A callback answers nanopb with false; the reason waits in the reader. */
static bool refuse(struct reader *reader, aosa_status status)
{
    reader->status = status;
    return false;
}

static bool refuse_memory(struct reader *reader)
{
    return refuse(reader, ao_fail(AOSA_ERR_NOMEM,
                                  "the model needs more than %zu bytes to parse: too many small "
                                  "parts for a file of its size, or no memory",
                                  reader->arena->max_bytes));
}

static void *new_message(struct reader *reader, const pb_msgdesc_t *fields, int64_t depth)
{
    if (depth > AO_ONNX_MAX_DEPTH) {
        refuse(reader,
               ao_fail(AOSA_ERR_FORMAT, "parts are nested more than %d deep", AO_ONNX_MAX_DEPTH));
        return NULL;
    }
    if (++reader->n_messages > MAX_MESSAGES) {
        refuse(reader, ao_fail(AOSA_ERR_FORMAT, "more than %d parts", MAX_MESSAGES));
        return NULL;
    }
    struct head *head =
        ao_arena_alloc(reader->arena, 1, sizeof(struct head) + message_size(fields));
    if (!head) {
        refuse_memory(reader);
        return NULL;
    }
    head->reader = reader;
    head->depth = depth;
    return head + 1;
}

/* Room for `extra` more items; doubling keeps repeated growth linear. */
static bool reserve(struct reader *reader, void **items, size_t *capacity, size_t n, size_t extra,
                    size_t size)
{
    if (extra <= *capacity - n)
        return true;
    size_t wanted = n + extra; /* both are bounded by the file's size */
    if (wanted < 2 * *capacity)
        wanted = 2 * *capacity;
    if (wanted < 4)
        wanted = 4;
    void *grown = ao_arena_alloc(reader->arena, wanted, size);
    if (!grown)
        return refuse_memory(reader);
    if (n)
        memcpy(grown, *items, n * size);
    *items = grown;
    *capacity = wanted;
    return true;
}

/* Length of the UTF-8 sequence at p, 0 when it is not valid (RFC 3629: no surrogates, no
 * overlong forms, at most U+10FFFF). */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    const size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

bool ao_onnx_text_is_plain(const struct ao_onnx_text *text)
{
    const unsigned char *p = (const unsigned char *)text->bytes;
    for (size_t i = 0; i < text->size;) {
        const size_t n = utf8_length(p + i, text->size - i);
        if (n == 0 || p[i] < 0x20 || p[i] == 0x7F)
            return false;
        i += n;
    }
    return true;
}

/* The rest of the stream as a piece of the file. */
static bool take_text(struct reader *reader, pb_istream_t *stream, bool is_name,
                      struct ao_onnx_text *text)
{
    const char *bytes = stream->state;
    const size_t size = stream->bytes_left;
    /* A number where text belongs reaches us in nanopb's own little buffer. */
    if (bytes < reader->begin || bytes > reader->end || size > (size_t)(reader->end - bytes))
        return refuse(reader, ao_fail(AOSA_ERR_FORMAT, "a number stands where a text belongs"));
    if (is_name && size > AO_ONNX_MAX_NAME)
        return refuse(reader, ao_fail(AOSA_ERR_FORMAT, "a name of %zu bytes; the limit is %d", size,
                                      AO_ONNX_MAX_NAME));
    *text = (struct ao_onnx_text){ bytes, size };
    if (is_name && !ao_onnx_text_is_plain(text))
        return refuse(reader, ao_fail(AOSA_ERR_FORMAT, "a name that is not valid UTF-8 or "
                                                       "holds control characters"));
    return pb_read(stream, NULL, size);
}

static bool refuse_twice(struct reader *reader, const pb_field_t *field)
{
    return refuse(reader,
                  ao_fail(AOSA_ERR_FORMAT, "field %d of a part is given twice", (int)field->tag));
}

static bool read_text(struct reader *reader, pb_istream_t *stream, const pb_field_t *field)
{
    const bool is_name = PB_LTYPE(field->type) == PB_LTYPE_STRING;
    if (PB_HTYPE(field->type) != PB_HTYPE_REPEATED) {
        struct ao_onnx_text *text = field->pData;
        if (text->bytes)
            return refuse_twice(reader, field);
        return take_text(reader, stream, is_name, text);
    }
    struct ao_onnx_texts *list = field->pData;
    void *items = list->items;
    if (!reserve(reader, &items, &list->capacity, list->n, 1, sizeof *list->items))
        return false;
    list->items = items;
    return take_text(reader, stream, is_name, &list->items[list->n++]);
}

static bool read_message(struct reader *reader, pb_istream_t *stream, const pb_field_t *field)
{
    void *message = new_message(reader, field->submsg_desc, head_of(field->message)->depth + 1);
    if (!message)
        return false;
    if (PB_HTYPE(field->type) != PB_HTYPE_REPEATED) {
        void *first;
        memcpy(&first, field->pData, sizeof first);
        if (first)
            return refuse_twice(reader, field);
        memcpy(field->pData, &message, sizeof message);
    } else {
        struct ao_onnx_list *list = field->pData;
        if (!reserve(reader, (void **)&list->items, &list->capacity, list->n, 1,
                     sizeof *list->items))
            return false;
        list->items[list->n++] = message;
    }
    return pb_decode_ex(stream, field->submsg_desc, message, PB_DECODE_NOINIT);
}

static bool read_ints(struct reader *reader, pb_istream_t *stream, struct ao_onnx_ints *list)
{
    size_t n_numbers = 0; /* each ends in a byte without the high bit */
    for (size_t i = 0; i < stream->bytes_left; i++)
        n_numbers += ((const unsigned char *)stream->state)[i] < 0x80;
    void *items = list->items;
    if (!reserve(reader, &items, &list->capacity, list->n, n_numbers, sizeof *list->items))
        return false;
    list->items = items;
    while (stream->bytes_left > 0) {
        uint64_t bits;
        if (!pb_decode_varint(stream, &bits))
            return false;
        list->items[list->n++] = (int64_t)bits;
    }
    return true;
}

static bool read_floats(struct reader *reader, pb_istream_t *stream, struct ao_onnx_floats *list)
{
    void *items = list->items;
    if (!reserve(reader, &items, &list->capacity, list->n, stream->bytes_left / 4,
                 sizeof *list->items))
        return false;
    list->items = items;
    while (stream->bytes_left > 0) {
        float number;
        if (!pb_decode_fixed32(stream, &number))
            return false;
        list->items[list->n++] = number;
    }
    return true;
}

static bool read_doubles(struct reader *reader, pb_istream_t *stream, struct ao_onnx_doubles *list)
{
    void *items = list->items;
    if (!reserve(reader, &items, &list->capacity, list->n, stream->bytes_left / 8,
                 sizeof *list->items))
        return false;
    list->items = items;
    while (stream->bytes_left > 0) {
        double number;
        if (!pb_decode_fixed64(stream, &number))
            return false;
        list->items[list->n++] = number;
    }
    return true;
}

/* The callback of every field that is not a single number; the generated tables name it. */
bool ao_onnx_read_field(pb_istream_t *stream, pb_ostream_t *unused, const pb_field_t *field)
{
    (void)unused;
    struct reader *reader = head_of(field->message)->reader;
    switch (PB_LTYPE(field->type)) {
    case PB_LTYPE_STRING:
    case PB_LTYPE_BYTES:
        return read_text(reader, stream, field);
    case PB_LTYPE_SUBMESSAGE:
    case PB_LTYPE_SUBMSG_W_CB:
        return read_message(reader, stream, field);
    case PB_LTYPE_FIXED32:
        return read_floats(reader, stream, field->pData);
    case PB_LTYPE_FIXED64:
        return read_doubles(reader, stream, field->pData);
    default:
        return read_ints(reader, stream, field->pData);
    }
}

aosa_status ao_onnx_read_model(struct ao_arena *arena, const void *bytes, size_t size,
                               const ao_onnx_Model **model)
{
    struct reader reader = { .arena = arena, .begin = bytes, .end = (const char *)bytes + size };
    void *message = new_message(&reader, ao_onnx_Model_fields, 0);
    if (!message)
        return reader.status;
    pb_istream_t stream = pb_istream_from_buffer(bytes, size);
    if (!pb_decode_ex(&stream, ao_onnx_Model_fields, message, PB_DECODE_NOINIT)) {
        if (reader.status != AOSA_OK)
            return reader.status;
        return ao_fail(AOSA_ERR_FORMAT, "damaged, cut off or not an ONNX file (%s)",
                       PB_GET_ERROR(&stream));
    }
    *model = message;
    return AOSA_OK;
}

bool ao_onnx_text_is(const struct ao_onnx_text *text, const char *word)
{
    return text->bytes && text->size == strlen(word) && memcmp(text->bytes, word, text->size) == 0;
}

bool ao_onnx_text_equal(const struct ao_onnx_text *a, const struct ao_onnx_text *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}
