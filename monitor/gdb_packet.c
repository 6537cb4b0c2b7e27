/*
 * Packets of gdb's remote serial protocol: see gdb_packet.h.
 *
 * Not modelled: run-length encoding. Gdb sends none, and need not be sent any;
 * a '*' from it is a '*'.
 */
#include "monitor/gdb_packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ESCAPE '}'
#define ESCAPE_XOR 0x20

int gdb_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool gdb_hex_number(const char **at, uint64_t *value)
{
    uint64_t number = 0;
    unsigned digits = 0;

    for (int digit; (digit = gdb_hex_digit(**at)) >= 0; (*at)++) {
        if (++digits > 16)
            return false;
        number = number << 4 | (unsigned)digit;
    }
    *value = number;
    return digits != 0;
}

bool gdb_hex_bytes(const char *text, void *data, size_t size)
{
    uint8_t *to = data;

    for (size_t i = 0; i < size; i++) {
        int high = gdb_hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : gdb_hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* --- In ------------------------------------------------------------------ */

static void begin(struct gdb_parser *p)
{
    p->state = GDB_PARSER_DATA;
    p->size = 0;
    p->sum = 0;
    p->bad = false;
}

static void take(struct gdb_parser *p, uint8_t byte)
{
    if (p->size < GDB_PACKET_BYTES)
        p->data[p->size++] = (char)byte;
    else
        p->bad = true;
}

static enum gdb_input idle(struct gdb_parser *p, uint8_t byte)
{
    switch (byte) {
    case '$':
        begin(p);
        return GDB_INPUT_NONE;
    case '+':
        return GDB_INPUT_ACK;
    case '-':
        return GDB_INPUT_NAK;
    case 0x03:
        return GDB_INPUT_BREAK;
    default:
        return GDB_INPUT_NONE;
    }
}

static void in_data(struct gdb_parser *p, uint8_t byte)
{
    if (byte == '$') {
        begin(p); /* the end of the last one was lost */
        return;
    }
    if (byte == '#') {
        p->state = GDB_PARSER_SUM_HIGH;
        return;
    }
    p->sum = (uint8_t)(p->sum + byte);
    if (byte == ESCAPE)
        p->state = GDB_PARSER_ESCAPED;
    else
        take(p, byte);
}

enum gdb_input gdb_parser_feed(struct gdb_parser *p, uint8_t byte)
{
    int digit;

    switch (p->state) {
    case GDB_PARSER_IDLE:
        return idle(p, byte);
    case GDB_PARSER_DATA:
        in_data(p, byte);
        return GDB_INPUT_NONE;
    case GDB_PARSER_ESCAPED:
        p->sum = (uint8_t)(p->sum + byte);
        p->state = GDB_PARSER_DATA;
        take(p, byte ^ ESCAPE_XOR);
        return GDB_INPUT_NONE;
    case GDB_PARSER_SUM_HIGH:
        digit = gdb_hex_digit((char)byte);
        p->bad = p->bad || digit < 0;
        p->claimed = (uint8_t)((unsigned)digit << 4);
        p->state = GDB_PARSER_SUM_LOW;
        return GDB_INPUT_NONE;
    case GDB_PARSER_SUM_LOW:
        digit = gdb_hex_digit((char)byte);
        p->state = GDB_PARSER_IDLE;
        p->data[p->size] = '\0';
        if (p->bad || digit < 0 || (p->claimed | digit) != p->sum)
            return GDB_INPUT_BAD;
        return GDB_INPUT_PACKET;
    }
    return GDB_INPUT_NONE;
}

/* --- Out ----------------------------------------------------------------- */

void gdb_reply_clear(struct gdb_reply *reply)
{
    reply->size = 0;
    reply->full = false;
}

void gdb_reply_bytes(struct gdb_reply *reply, const void *data, size_t size)
{
    size_t room = GDB_PACKET_BYTES - reply->size;

    if (size > room) {
        reply->full = true;
        size = room;
    }
    memcpy(reply->data + reply->size, data, size);
    reply->size += size;
}

void gdb_reply_text(struct gdb_reply *reply, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    int length = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (length < 0)
        return;
    reply->full = reply->full || (size_t)length >= sizeof(text);
    gdb_reply_bytes(reply, text, strlen(text));
}

void gdb_reply_hex(struct gdb_reply *reply, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;

    for (size_t i = 0; i < size; i++) {
        char pair[2] = {digits[from[i] >> 4], digits[from[i] & 15]};
        if (GDB_PACKET_BYTES - reply->size < sizeof(pair)) {
            reply->full = true; /* half a byte would be nonsense */
            return;
        }
        gdb_reply_bytes(reply, pair, sizeof(pair));
    }
}

size_t gdb_frame(const char *data, size_t size, char *frame)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    uint8_t sum = 0;

    if (size > GDB_PACKET_BYTES)
        size = GDB_PACKET_BYTES;
    frame[at++] = '$';
    for (size_t i = 0; i < size; i++) {
        char c = data[i];
        if (c == '$' || c == '#' || c == ESCAPE || c == '*') {
            frame[at++] = ESCAPE;
            c = (char)(c ^ ESCAPE_XOR);
        }
        frame[at++] = c;
    }
    for (size_t i = 1; i < at; i++)
        sum = (uint8_t)(sum + (uint8_t)frame[i]);
    frame[at++] = '#';
    frame[at++] = digits[sum >> 4];
    frame[at++] = digits[sum & 15];
    return at;
}
