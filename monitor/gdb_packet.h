/*
 * The remote serial protocol's packets (GDB manual, appendix E): bytes into
 * packets, and replies into bytes. Nothing here knows a machine.
 */
#ifndef MONITOR_GDB_PACKET_H
#define MONITOR_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest packet either side sends, without $, # and checksum. */
#define GDB_PACKET_BYTES 16384u
/* The same framed, every byte of it escaped. */
#define GDB_FRAME_BYTES (2 * GDB_PACKET_BYTES + 4)

/* What a byte completed. */
enum gdb_input {
    GDB_INPUT_NONE,
    GDB_INPUT_PACKET, /* parser.data holds it, with a 0 behind */
    GDB_INPUT_BAD,    /* a packet with a wrong checksum, or too long */
    GDB_INPUT_ACK,    /* '+' */
    GDB_INPUT_NAK,    /* '-' */
    GDB_INPUT_BREAK,  /* 0x03, Ctrl-C, between packets */
};

/* All zeros to begin with. Bytes between packets that mean nothing are passed
 * over; a '$' begins a packet wherever it stands. */
struct gdb_parser {
    enum gdb_parser_state {
        GDB_PARSER_IDLE,
        GDB_PARSER_DATA,
        GDB_PARSER_ESCAPED, /* behind '}' */
        GDB_PARSER_SUM_HIGH,
        GDB_PARSER_SUM_LOW,
    } state;
    char data[GDB_PACKET_BYTES + 1];
    size_t size;
    uint8_t sum, claimed;
    bool bad;
};
enum gdb_input gdb_parser_feed(struct gdb_parser *parser, uint8_t byte);

/* A reply being put together. What does not fit any more is left out, and
 * `full` says so. */
struct gdb_reply {
    char data[GDB_PACKET_BYTES + 1];
    size_t size;
    bool full;
};
void gdb_reply_clear(struct gdb_reply *reply);
void gdb_reply_text(struct gdb_reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Bytes as pairs of hexadecimal digits. */
void gdb_reply_hex(struct gdb_reply *reply, const void *data, size_t size);
/* Bytes as they are; gdb_frame() escapes them. */
void gdb_reply_bytes(struct gdb_reply *reply, const void *data, size_t size);

/* $data#sum with '$', '#', '}' and '*' escaped; `frame` has GDB_FRAME_BYTES.
 * Returns its length. */
size_t gdb_frame(const char *data, size_t size, char *frame);

/* -1 when it is no hexadecimal digit. */
int gdb_hex_digit(char c);
/* A number of 1 to 16 digits at *at, which moves behind it. False: there is
 * none, or it is longer. */
bool gdb_hex_number(const char **at, uint64_t *value);
/* Exactly `size` bytes from pairs of digits. False: fewer, or other text. */
bool gdb_hex_bytes(const char *text, void *data, size_t size);

#endif
