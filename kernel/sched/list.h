/* Intrusive doubly linked lists: a head is a node that points to itself when empty. */
#ifndef QUINCE_SCHED_LIST_H
#define QUINCE_SCHED_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next, *prev;
};
#define LIST_HEAD(name)                struct list_node name = {&(name), &(name)}
#define list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))
#define list_for_each(node, head)                                                                  \
    for (struct list_node *node = (head)->next, *node##_next = node->next; node != (head);         \
         node = node##_next, node##_next = node->next)

static inline void list_init(struct list_node *head)
{
    head->next = head->prev = head;
}
static inline bool list_empty(const struct list_node *head)
{
    return head->next == head;
}
static inline void list_add_tail(struct list_node *head, struct list_node *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
static inline void list_add_head(struct list_node *head, struct list_node *node)
{
    list_add_tail(head->next, node);
}
static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = node;
}

#endif
