/* Packets of gdb's protocol: checksums, escapes, resynchronisation. */
#include "monitor/gdb_packet.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct gdb_parser parser;
static struct gdb_reply reply;
static char frame[GDB_FRAME_BYTES];

/* What the last byte of the text completed; none before it may. */
static enum gdb_input feed(const char *text, size_t size)
{
    enum gdb_input got = GDB_INPUT_NONE;

    for (size_t i = 0; i < size; i++) {
        CU_ASSERT_EQUAL(got, GDB_INPUT_NONE);
        got = gdb_parser_feed(&parser, (uint8_t)text[i]);
    }
    return got;
}

static enum gdb_input feed_text(const char *text)
{
    memset(&parser, 0, sizeof(parser));
    return feed(text, strlen(text));
}

static void packet_with_right_checksum(void)
{
    CU_ASSERT_EQUAL(feed_text("$qC#b4"), GDB_INPUT_PACKET);
    CU_ASSERT_STRING_EQUAL(parser.data, "qC");
    CU_ASSERT_EQUAL(parser.size, 2);
    CU_ASSERT_EQUAL(feed_text("$qC#B4"), GDB_INPUT_PACKET);
    CU_ASSERT_EQUAL(feed_text("$#00"), GDB_INPUT_PACKET);
    CU_ASSERT_EQUAL(parser.size, 0);
}

static void wrong_checksum_is_bad(void)
{
    CU_ASSERT_EQUAL(feed_text("$qC#b5"), GDB_INPUT_BAD);
    CU_ASSERT_EQUAL(feed_text("$qC#xx"), GDB_INPUT_BAD);
    CU_ASSERT_EQUAL(feed_text("$qC#bx"), GDB_INPUT_BAD);
    CU_ASSERT_EQUAL(feed("$qC#b4", 6), GDB_INPUT_PACKET);
}

static void bytes_between_packets(void)
{
    CU_ASSERT_EQUAL(feed_text("+"), GDB_INPUT_ACK);
    CU_ASSERT_EQUAL(feed_text("-"), GDB_INPUT_NAK);
    CU_ASSERT_EQUAL(feed_text("\x03"), GDB_INPUT_BREAK);
    CU_ASSERT_EQUAL(feed_text("xyz#00"), GDB_INPUT_NONE);
    CU_ASSERT_EQUAL(feed_text("ab$?#3f"), GDB_INPUT_PACKET);
}

static void break_inside_a_packet_is_data(void)
{
    CU_ASSERT_EQUAL(feed_text("$X\x03#5b"), GDB_INPUT_PACKET);
    CU_ASSERT_EQUAL(parser.data[1], 3);
}

static void escapes_are_undone(void)
{
    CU_ASSERT_EQUAL(feed_text("$}\x03}\x04}]}\x0a#62"), GDB_INPUT_PACKET);
    CU_ASSERT_EQUAL(parser.size, 4);
    CU_ASSERT_STRING_EQUAL(parser.data, "#$}*");
}

static void star_is_no_run_length(void)
{
    CU_ASSERT_EQUAL(feed_text("$0* #7a"), GDB_INPUT_PACKET);
    CU_ASSERT_STRING_EQUAL(parser.data, "0* ");
}

static void dollar_begins_anew(void)
{
    CU_ASSERT_EQUAL(feed_text("$m0,4$?#3f"), GDB_INPUT_PACKET);
    CU_ASSERT_STRING_EQUAL(parser.data, "?");
}

static void too_long_a_packet_is_bad_once(void)
{
    memset(&parser, 0, sizeof(parser));
    CU_ASSERT_EQUAL(feed("$", 1), GDB_INPUT_NONE);
    for (size_t i = 0; i < GDB_PACKET_BYTES + 1000; i++)
        CU_ASSERT_EQUAL_FATAL(feed("a", 1), GDB_INPUT_NONE);
    CU_ASSERT_EQUAL(feed("#", 1), GDB_INPUT_NONE);
    CU_ASSERT_EQUAL(feed("00", 2), GDB_INPUT_BAD);
    CU_ASSERT_EQUAL(feed("$?#3f", 5), GDB_INPUT_PACKET);
}

static void longest_packet_is_taken(void)
{
    char end[4];

    memset(&parser, 0, sizeof(parser));
    feed("$", 1);
    for (size_t i = 0; i < GDB_PACKET_BYTES; i++)
        feed("a", 1);
    snprintf(end, sizeof(end), "#%02x", ('a' * GDB_PACKET_BYTES) & 0xFF);
    CU_ASSERT_EQUAL(feed(end, 3), GDB_INPUT_PACKET);
    CU_ASSERT_EQUAL(parser.size, GDB_PACKET_BYTES);
}

static void frame_escapes_and_sums(void)
{
    CU_ASSERT_EQUAL(gdb_frame("OK", 2, frame), 6);
    CU_ASSERT_NSTRING_EQUAL(frame, "$OK#9a", 6);
    CU_ASSERT_EQUAL(gdb_frame("", 0, frame), 4);
    CU_ASSERT_NSTRING_EQUAL(frame, "$#00", 4);
    CU_ASSERT_EQUAL(gdb_frame("#$}*", 4, frame), 12);
    CU_ASSERT_NSTRING_EQUAL(frame, "$}\x03}\x04}]}\x0a#62", 9);
}

/* Any bytes come out of a frame as they went in. */
static void random_frames_come_back(void)
{
    char data[300];

    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        size_t size = (size_t)rand() % sizeof(data);
        for (size_t i = 0; i < size; i++)
            data[i] = (char)(rand() % 3 ? rand() : "$#}*+-\x03"[rand() % 7]);
        size_t length = gdb_frame(data, size, frame);
        CU_ASSERT_EQUAL_FATAL(feed(frame, length), GDB_INPUT_PACKET);
        CU_ASSERT_EQUAL_FATAL(parser.size, size);
        CU_ASSERT_EQUAL_FATAL(memcmp(parser.data, data, size), 0);
    }
}

static void random_bytes_stay_within(void)
{
    srand(2);
    memset(&parser, 0, sizeof(parser));
    for (unsigned i = 0; i < 1000000; i++) {
        int byte = rand() % 50 ? rand() : '#';
        enum gdb_input got = gdb_parser_feed(&parser, (uint8_t)byte);
        CU_ASSERT_FATAL(parser.size <= GDB_PACKET_BYTES);
        if (got == GDB_INPUT_PACKET)
            CU_ASSERT_FATAL(parser.data[parser.size] == '\0');
    }
}

static void replies_fill_up_and_say_so(void)
{
    uint8_t data[1000] = {0xAB};

    gdb_reply_clear(&reply);
    gdb_reply_text(&reply, "T%02x", 5);
    gdb_reply_hex(&reply, data, 2);
    CU_ASSERT_NSTRING_EQUAL(reply.data, "T05ab00", 7);
    CU_ASSERT_FALSE(reply.full);
    for (unsigned i = 0; i < 20; i++)
        gdb_reply_hex(&reply, data, sizeof(data));
    CU_ASSERT_TRUE(reply.full);
    CU_ASSERT_TRUE(reply.size <= GDB_PACKET_BYTES);
    CU_ASSERT_EQUAL(reply.size % 2, 1); /* three, and whole bytes */
    gdb_reply_clear(&reply);
    CU_ASSERT_FALSE(reply.full);
}

static void hexadecimal_numbers(void)
{
    const char *at = "1F,";
    uint64_t value = 0;
    uint8_t data[2];

    CU_ASSERT_TRUE(gdb_hex_number(&at, &value));
    CU_ASSERT_EQUAL(value, 0x1F);
    CU_ASSERT_EQUAL(*at, ',');
    CU_ASSERT_FALSE(gdb_hex_number(&at, &value));
    at = "ffffffffffffffff";
    CU_ASSERT_TRUE(gdb_hex_number(&at, &value));
    CU_ASSERT_EQUAL(value, UINT64_MAX);
    at = "10000000000000000";
    CU_ASSERT_FALSE(gdb_hex_number(&at, &value));
    CU_ASSERT_TRUE(gdb_hex_bytes("12aBzz", data, 2));
    CU_ASSERT_EQUAL(data[0], 0x12);
    CU_ASSERT_EQUAL(data[1], 0xAB);
    CU_ASSERT_FALSE(gdb_hex_bytes("123", data, 2));
    CU_ASSERT_FALSE(gdb_hex_bytes("12g4", data, 2));
}

static const struct test tests[] = {
    {"packet_with_right_checksum", packet_with_right_checksum},
    {"wrong_checksum_is_bad", wrong_checksum_is_bad},
    {"bytes_between_packets", bytes_between_packets},
    {"break_inside_a_packet_is_data", break_inside_a_packet_is_data},
    {"escapes_are_undone", escapes_are_undone},
    {"star_is_no_run_length", star_is_no_run_length},
    {"dollar_begins_anew", dollar_begins_anew},
    {"too_long_a_packet_is_bad_once", too_long_a_packet_is_bad_once},
    {"longest_packet_is_taken", longest_packet_is_taken},
    {"frame_escapes_and_sums", frame_escapes_and_sums},
    {"random_frames_come_back", random_frames_come_back},
    {"random_bytes_stay_within", random_bytes_stay_within},
    {"replies_fill_up_and_say_so", replies_fill_up_and_say_so},
    {"hexadecimal_numbers", hexadecimal_numbers},
    {NULL, NULL},
};

TEST_MAIN("gdb_packet", tests)
