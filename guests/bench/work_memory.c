/*
 * Workloads that live in memory: chains, tables, blocks and texts.
 */
#include "guests/bench/workloads.h"

#include <emmintrin.h>

/*
 * A ring through 4 MiB in random order: 65,536 nodes, a cache line each. No
 * load can start before the one before has ended, and a TLB of 4 KiB pages
 * holds a fraction of it.
 */
uint64_t work_pointer_chase(uint8_t *arena)
{
    enum { NODES = 65536 };
    uint32_t *order = (uint32_t *)(arena + (4u << 20));
    uint64_t x = 42, sum = 0;
    uint8_t *node = arena;

    for (uint32_t i = 0; i < NODES; i++)
        order[i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) { /* Sattolo: one single ring */
        uint32_t k, swap;

        x = next_random(x);
        k = (uint32_t)(x % i);
        swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
    for (uint32_t i = 0; i < NODES; i++)
        *(uint64_t *)(arena + 64u * i) = 64u * order[i];
    for (uint32_t i = 0; i < 2000000; i++) {
        uint64_t next = *(uint64_t *)node;

        sum += next ^ i;
        node = arena + next;
    }
    return sum;
}

static void rep_movsb(uint8_t *to, const uint8_t *from, uint64_t count)
{
    __asm__ volatile("rep movsb"
                     : "+D"(to), "+S"(from), "+c"(count)
                     :
                     : "memory");
}

uint64_t work_rep_movsb(uint8_t *arena)
{
    const uint32_t block = 1u << 20;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < block; i++)
        arena[i] = (uint8_t)(i * 13 >> 3);
    for (uint32_t round = 0; round < 12; round++) {
        arena[round * 4099] ^= (uint8_t)(round + 1);
        rep_movsb(arena + (2u << 20) + round, arena, block);
        sum = sum * 31 + arena[(2u << 20) + round * 4100];
    }
    return sum;
}

uint64_t work_rep_stosq(uint8_t *arena)
{
    uint64_t sum = 0;

    for (uint64_t round = 0; round < 600; round++) {
        uint8_t *to = arena + 8 * round;
        uint64_t count = 65536;

        __asm__ volatile("rep stosq"
                         : "+D"(to), "+c"(count)
                         : "a"(round * 0x0101010101010101u)
                         : "memory");
        sum = sum * 31 + arena[round * 700 + 8 * 600];
    }
    return sum;
}

/* SCASB, CMPSB and LODSB: the string instructions that look at the data. */
uint64_t work_string_ops(uint8_t *arena)
{
    const uint32_t length = 20000;
    uint8_t *other = arena + 65536;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < length; i++)
        arena[i] = other[i] = (uint8_t)(1 + i % 251);
    for (uint32_t round = 1; round <= 640; round++) {
        uint8_t *at = arena;
        const uint8_t *from = other;
        uint64_t count = length;
        uint32_t hole = round * 31 % length;

        arena[hole] = 0;
        __asm__ volatile("repne scasb"
                         : "+D"(at), "+c"(count)
                         : "a"(0)
                         : "cc", "memory");
        sum += count;
        at = arena;
        count = length;
        __asm__ volatile("repe cmpsb"
                         : "+D"(at), "+S"(from), "+c"(count)
                         :
                         : "cc", "memory");
        sum = sum * 3 + count;
        for (uint32_t i = 0; i < length; i++) {
            uint64_t byte = 0;

            __asm__ volatile("lodsb" : "+S"(from), "+a"(byte) : : "memory");
            if (from == other + length)
                from = other;
            sum += byte;
        }
        arena[hole] = other[hole];
    }
    return sum;
}

uint64_t work_byte_loop(uint8_t *arena)
{
    const uint32_t bytes = 1u << 16;
    uint8_t key = 0;

    for (uint32_t i = 0; i < bytes; i++)
        arena[i] = (uint8_t)i;
    for (uint32_t round = 0; round < 400; round++) {
        for (uint32_t i = 0; i < bytes; i++) {
            key = (uint8_t)((key + 1) ^ arena[i]);
            arena[i] = key;
        }
    }
    return (uint64_t)key << 32 | (uint64_t)arena[77] << 8 | arena[bytes - 1];
}

/* How often, and where, a word occurs in a text: two loops that end early. */
uint64_t work_text_search(uint8_t *arena)
{
    static const char words[4][8] = {"abba", "caba", "bcacb", "cccccc"};
    const uint32_t length = 400000;
    uint64_t x = 7, sum = 0;

    for (uint32_t i = 0; i < length; i++) {
        x = next_random(x);
        arena[i] = (uint8_t)('a' + x % 3);
    }
    arena[length] = 0;
    for (uint32_t round = 0; round < 12; round++) {
        uint32_t w = round % 4;

        for (const uint8_t *at = arena; *at; at++) {
            uint32_t k = 0;

            while (words[w][k] && at[k] == (uint8_t)words[w][k])
                k++;
            if (!words[w][k])
                sum += (uint64_t)(at - arena) + round;
        }
    }
    return sum;
}

/* Open addressing, 64 Ki slots of 16 bytes: insert, look up, count. */
uint64_t work_hash_table(uint8_t *arena)
{
    enum { SLOTS = 65536 };
    struct slot {
        uint64_t key, count;
    } *slots = (struct slot *)arena;
    uint64_t x = 99, sum = 0;

    for (uint32_t i = 0; i < SLOTS; i++)
        slots[i].key = slots[i].count = 0;
    for (uint32_t i = 0; i < 8000000; i++) {
        uint64_t key, at;

        x = next_random(x);
        key = x % 40000 + 1;
        at = key * 0x9E3779B97F4A7C15u >> 48;
        while (slots[at].key && slots[at].key != key)
            at = (at + 1) % SLOTS;
        slots[at].key = key;
        sum += ++slots[at].count;
    }
    return sum;
}

struct tree_node {
    struct tree_node *child[2];
    uint64_t key;
};

static uint64_t tree_sum(const struct tree_node *node, uint64_t depth)
{
    if (!node)
        return 0;
    return tree_sum(node->child[0], depth + 1) + node->key * depth +
           tree_sum(node->child[1], depth + 1);
}

uint64_t work_tree(uint8_t *arena)
{
    uint64_t x = 31, sum = 0;

    for (uint32_t round = 0; round < 12; round++) {
        struct tree_node *fresh = (struct tree_node *)arena, *root = 0;

        for (uint32_t i = 0; i < 20000; i++) {
            struct tree_node **link = &root;

            x = next_random(x);
            while (*link && (*link)->key != x)
                link = &(*link)->child[x > (*link)->key];
            if (*link)
                continue;
            fresh->key = x;
            fresh->child[0] = fresh->child[1] = 0;
            *link = fresh++;
        }
        sum ^= tree_sum(root, 1);
    }
    return sum;
}

struct cell {
    struct cell *next;
    uint64_t value;
    uint64_t pad[2];
};

/* An allocator with a free list, and queues that grow and shrink on it. */
uint64_t work_list_alloc(uint8_t *arena)
{
    enum { CELLS = 32768, QUEUES = 64 };
    struct cell *cells = (struct cell *)arena, *free_list = 0;
    struct cell *head[QUEUES] = {0}, **tail[QUEUES];
    uint64_t x = 5, sum = 0;

    for (uint32_t i = 0; i < QUEUES; i++)
        tail[i] = &head[i];
    for (uint32_t i = 0; i < CELLS; i++) {
        cells[i].next = free_list;
        free_list = &cells[i];
    }
    for (uint32_t i = 0; i < 8000000; i++) {
        uint32_t queue;
        struct cell *cell;

        x = next_random(x);
        queue = (uint32_t)(x >> 20) % QUEUES;
        if ((x & 3) && free_list) {
            cell = free_list;
            free_list = cell->next;
            cell->value = x;
            cell->next = 0;
            *tail[queue] = cell;
            tail[queue] = &cell->next;
        } else if (head[queue]) {
            cell = head[queue];
            head[queue] = cell->next;
            if (!head[queue])
                tail[queue] = &head[queue];
            sum += cell->value;
            cell->next = free_list;
            free_list = cell;
        }
    }
    return sum;
}

uint64_t work_sse_copy(uint8_t *arena)
{
    const uint32_t bytes = 1u << 18;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < bytes; i++)
        arena[i] = (uint8_t)(i * 5);
    for (uint32_t round = 0; round < 300; round++) {
        const __m128i *from = (const __m128i *)arena;
        __m128i *to = (__m128i *)(arena + (1u << 20) + 16);

        for (uint32_t i = 0; i < bytes / 16; i += 4) {
            _mm_store_si128(to + i, _mm_load_si128(from + i));
            _mm_store_si128(to + i + 1, _mm_load_si128(from + i + 1));
            _mm_storeu_si128(to + i + 2, _mm_loadu_si128(from + i + 2));
            _mm_storeu_si128(to + i + 3, _mm_loadu_si128(from + i + 3));
        }
        arena[round * 33] ^= arena[(1u << 20) + 16 + round * 31];
        sum = sum * 31 + arena[(1u << 20) + 16 + round * 33];
    }
    return sum;
}
