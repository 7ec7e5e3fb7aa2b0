/* A bytecode interpreter: a stack machine dispatched by a switch, running a sieve and Collatz
 * walks. */
#include "bench.h"

enum op { PUSH, LOAD, STORE, ADD, MUL, AND, SHR, LT, EQ, JUMP, JUMP_IF, GET, PUT, HALT };
static int32_t cells[16384], code[128];
static int32_t here;

static int32_t execute(const int32_t *pc)
{
    int32_t stack[32], variables[8] = {0};
    int32_t *sp = stack;
    for (;;) {
        switch (*pc++) {
        case PUSH: *sp++ = *pc++; break;
        case LOAD: *sp++ = variables[*pc++ & 7]; break;
        case STORE: variables[*pc++ & 7] = *--sp; break;
        case ADD: sp--, sp[-1] += sp[0]; break;
        case MUL: sp--, sp[-1] = (int32_t)((uint32_t)sp[-1] * (uint32_t)sp[0]); break;
        case AND: sp--, sp[-1] &= sp[0]; break;
        case SHR: sp--, sp[-1] = (int32_t)((uint32_t)sp[-1] >> (sp[0] & 31)); break;
        case LT: sp--, sp[-1] = sp[-1] < sp[0]; break;
        case EQ: sp--, sp[-1] = sp[-1] == sp[0]; break;
        case JUMP: pc = code + *pc; break;
        case JUMP_IF: pc = *--sp ? code + *pc : pc + 1; break;
        case GET: sp[-1] = cells[sp[-1] & 16383]; break;
        case PUT: sp -= 2, cells[sp[0] & 16383] = sp[1]; break;
        case HALT: return sp[-1];
        default: return -1;
        }
    }
}

static void emit(enum op op)
{
    code[here++] = op;
}
/* Returns where the operand stands, for jumps whose target comes later. */
static int32_t emit_with(enum op op, int32_t operand)
{
    emit(op);
    code[here] = operand;
    return here++;
}

/* count = 0; for (i = 2; i < 8192; i++) if (!cells[i]) { count++; mark every multiple of i } */
static int32_t sieve(void)
{
    enum { COUNT, I, J };
    int32_t start = here;
    emit_with(PUSH, 2), emit_with(STORE, I);
    int32_t outer = here;
    emit_with(PUSH, 8191), emit_with(LOAD, I), emit(LT);
    int32_t done = emit_with(JUMP_IF, 0);
    emit_with(LOAD, I), emit(GET);
    int32_t composite = emit_with(JUMP_IF, 0);
    emit_with(LOAD, COUNT), emit_with(PUSH, 1), emit(ADD), emit_with(STORE, COUNT);
    emit_with(LOAD, I), emit_with(STORE, J);
    int32_t inner = here;
    emit_with(LOAD, J), emit_with(PUSH, 1), emit(PUT);
    emit_with(LOAD, J), emit_with(LOAD, I), emit(ADD), emit_with(STORE, J);
    emit_with(LOAD, J), emit_with(PUSH, 8192), emit(LT), emit_with(JUMP_IF, inner);
    code[composite] = here;
    emit_with(LOAD, I), emit_with(PUSH, 1), emit(ADD), emit_with(STORE, I);
    emit_with(JUMP, outer);
    code[done] = here;
    emit_with(LOAD, COUNT), emit(HALT);
    return start;
}

/* steps = 0; for (n = 97; n != 1; steps++) n = n odd ? 3n + 1 : n >> 1 */
static int32_t collatz(void)
{
    enum { STEPS, N };
    int32_t start = here;
    emit_with(PUSH, 97), emit_with(STORE, N);
    int32_t loop = here;
    emit_with(LOAD, N), emit_with(PUSH, 1), emit(EQ);
    int32_t done = emit_with(JUMP_IF, 0);
    emit_with(LOAD, STEPS), emit_with(PUSH, 1), emit(ADD), emit_with(STORE, STEPS);
    emit_with(LOAD, N), emit_with(PUSH, 1), emit(AND);
    int32_t odd = emit_with(JUMP_IF, 0);
    emit_with(LOAD, N), emit_with(PUSH, 1), emit(SHR), emit_with(STORE, N), emit_with(JUMP, loop);
    code[odd] = here;
    emit_with(LOAD, N), emit_with(PUSH, 3), emit(MUL), emit_with(PUSH, 1), emit(ADD);
    emit_with(STORE, N), emit_with(JUMP, loop);
    code[done] = here;
    emit_with(LOAD, STEPS), emit(HALT);
    return start;
}

EXPORT
{
    here = 0;
    int32_t primes = sieve(), walk = collatz();
    uint32_t sum = 0;
    while (rounds--) {
        for (size_t i = 0; i < 8192; i++)
            cells[i] = 0;
        sum = mix(sum, (uint32_t)execute(code + primes));
        for (int i = 0; i < 50; i++)
            sum = mix(sum, (uint32_t)execute(code + walk));
    }
    return sum;
}
