/* Quicksort with insertion sort below 16, and heapsort, of 32-bit keys. */
#include "bench.h"

enum { COUNT = 20000 };
static int32_t keys[COUNT], heap[COUNT];

static void quicksort(int32_t *a, int32_t low, int32_t high)
{
    while (high - low > 16) {
        int32_t pivot = a[low + (high - low) / 2], i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot)
                i++;
            while (a[j] > pivot)
                j--;
            if (i <= j) {
                int32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        if (j - low < high - i) {
            quicksort(a, low, j);
            low = i;
        } else {
            quicksort(a, i, high);
            high = j;
        }
    }
    for (int32_t i = low + 1; i <= high; i++) {
        int32_t key = a[i], j = i - 1;
        for (; j >= low && a[j] > key; j--)
            a[j + 1] = a[j];
        a[j + 1] = key;
    }
}

static void sift(int32_t *a, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && a[child] < a[child + 1])
            child++;
        if (a[root] >= a[child])
            return;
        int32_t t = a[root];
        a[root] = a[child];
        a[child] = t;
    }
}

static void heapsort(int32_t *a, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(a, i, count);
    for (size_t i = count; i-- > 1;) {
        int32_t t = a[0];
        a[0] = a[i];
        a[i] = t;
        sift(a, 0, i);
    }
}

EXPORT
{
    random_seed(5);
    uint32_t sum = 0;
    while (rounds--) {
        for (size_t i = 0; i < COUNT; i++)
            keys[i] = heap[i] = (int32_t)random_next();
        quicksort(keys, 0, COUNT - 1);
        heapsort(heap, COUNT);
        for (size_t i = 0; i < COUNT; i++)
            sum = mix(sum, (uint32_t)keys[i] + (keys[i] != heap[i]));
    }
    return sum;
}
