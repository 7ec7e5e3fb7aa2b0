/* Linked lists as CoreMark uses them: find, reverse, merge sort by two orders, remove and restore.
 */
#include "bench.h"

enum { COUNT = 400 };
struct item {
    struct item *next;
    uint16_t data, index;
};
static struct item items[COUNT];

static struct item *reverse(struct item *list)
{
    struct item *done = NULL;
    while (list) {
        struct item *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}
static const struct item *find(const struct item *list, uint16_t data)
{
    while (list && (list->data & 0xff) != data)
        list = list->next;
    return list;
}
typedef int32_t (*order_fn)(const struct item *, const struct item *);
static int32_t by_data(const struct item *a, const struct item *b)
{
    return a->data - b->data;
}
static int32_t by_index(const struct item *a, const struct item *b)
{
    return a->index - b->index;
}
static struct item *merge_sort(struct item *list, order_fn order)
{
    for (uint32_t size = 1;; size *= 2) {
        struct item *p = list, *tail = NULL;
        uint32_t merges = 0;
        list = NULL;
        while (p) {
            merges++;
            struct item *q = p;
            uint32_t left = 0, right = size;
            while (left < size && q)
                left++, q = q->next;
            while (left || (right && q)) {
                struct item *take;
                if (!left || (right && q && order(p, q) > 0)) {
                    take = q;
                    q = q->next;
                    right--;
                } else {
                    take = p;
                    p = p->next;
                    left--;
                }
                if (tail)
                    tail->next = take;
                else
                    list = take;
                tail = take;
            }
            p = q;
        }
        tail->next = NULL;
        if (merges <= 1)
            return list;
    }
}

EXPORT
{
    random_seed(17);
    for (uint32_t i = 0; i < COUNT; i++)
        items[i] = (struct item){i + 1 < COUNT ? &items[i + 1] : NULL, (uint16_t)random_next(),
                                 (uint16_t)i};
    struct item *list = items;
    uint32_t sum = 0;
    while (rounds--) {
        for (uint16_t key = 0; key < 64; key++) {
            const struct item *hit = find(list, key);
            sum = mix(sum, hit ? hit->index : key);
            list = reverse(list);
        }
        list = merge_sort(list, by_data);
        sum = mix(sum, list->index);
        struct item *removed = list->next;
        list->next = removed->next;
        sum = mix(sum, list->next->data);
        removed->next = list->next;
        list->next = removed;
        list = merge_sort(list, by_index);
        list->data = (uint16_t)(list->data * 5 + rounds);
    }
    return sum;
}
