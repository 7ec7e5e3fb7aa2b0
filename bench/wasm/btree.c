/* A B-tree of order 16: insertion with splitting, look-up, ordered walk. */
#include "bench.h"

enum { ORDER = 16, NODES = 8192, KEYS = 30000 };
struct node {
    uint32_t count, leaf;
    uint32_t keys[ORDER - 1], values[ORDER - 1];
    uint32_t children[ORDER];
};
static struct node nodes[NODES];
static uint32_t used, root;

static uint32_t node_new(uint32_t leaf)
{
    nodes[used].count = 0;
    nodes[used].leaf = leaf;
    return used++;
}
static uint32_t position(const struct node *n, uint32_t key)
{
    uint32_t low = 0, high = n->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (n->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
static void split(uint32_t parent, uint32_t at)
{
    struct node *p = &nodes[parent], *full = &nodes[p->children[at]];
    uint32_t right = node_new(full->leaf), half = (ORDER - 1) / 2;
    struct node *r = &nodes[right];
    r->count = full->count - half - 1;
    for (uint32_t i = 0; i < r->count; i++) {
        r->keys[i] = full->keys[half + 1 + i];
        r->values[i] = full->values[half + 1 + i];
    }
    if (!full->leaf)
        for (uint32_t i = 0; i <= r->count; i++)
            r->children[i] = full->children[half + 1 + i];
    full->count = half;
    for (uint32_t i = p->count; i > at; i--) {
        p->keys[i] = p->keys[i - 1];
        p->values[i] = p->values[i - 1];
        p->children[i + 1] = p->children[i];
    }
    p->keys[at] = full->keys[half];
    p->values[at] = full->values[half];
    p->children[at + 1] = right;
    p->count++;
}
static void insert(uint32_t key, uint32_t value)
{
    if (nodes[root].count == ORDER - 1) {
        uint32_t top = node_new(0);
        nodes[top].children[0] = root;
        root = top;
        split(root, 0);
    }
    uint32_t at = root;
    for (;;) {
        struct node *n = &nodes[at];
        uint32_t i = position(n, key);
        if (i < n->count && n->keys[i] == key) {
            n->values[i] += value;
            return;
        }
        if (n->leaf) {
            for (uint32_t j = n->count; j > i; j--) {
                n->keys[j] = n->keys[j - 1];
                n->values[j] = n->values[j - 1];
            }
            n->keys[i] = key;
            n->values[i] = value;
            n->count++;
            return;
        }
        if (nodes[n->children[i]].count == ORDER - 1) {
            split(at, i);
            continue;
        }
        at = n->children[i];
    }
}
static uint32_t find(uint32_t key)
{
    for (uint32_t at = root;;) {
        const struct node *n = &nodes[at];
        uint32_t i = position(n, key);
        if (i < n->count && n->keys[i] == key)
            return n->values[i];
        if (n->leaf)
            return 0;
        at = n->children[i];
    }
}
static uint32_t walk(uint32_t at, uint32_t sum)
{
    const struct node *n = &nodes[at];
    for (uint32_t i = 0; i < n->count; i++) {
        if (!n->leaf)
            sum = walk(n->children[i], sum);
        sum = mix(sum, n->keys[i] + n->values[i]);
    }
    return n->leaf ? sum : walk(n->children[n->count], sum);
}

EXPORT
{
    uint32_t sum = 0;
    while (rounds--) {
        used = 0;
        root = node_new(1);
        random_seed(15 + rounds);
        for (uint32_t i = 0; i < KEYS; i++)
            insert(random_next() % 100000, i);
        for (uint32_t i = 0; i < 100000; i += 3)
            sum = mix(sum, find(i));
        sum = walk(root, sum);
    }
    return sum;
}
