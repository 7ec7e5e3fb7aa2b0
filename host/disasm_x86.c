#include "disasm_x86.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

/* What an address is called: a place in this function, or in another piece of the module's code. */
struct naming {
    const struct wasm_module *module;
    const struct wasm_code *code;
};

static ZydisFormatterFunc print_plainly;

static ZyanStatus append(ZydisFormatterBuffer *buffer, const char *text)
{
    ZyanString *string;
    ZyanStringView view;
    ZYAN_CHECK(ZydisFormatterBufferAppend(buffer, ZYDIS_TOKEN_SYMBOL));
    ZYAN_CHECK(ZydisFormatterBufferGetString(buffer, &string));
    ZYAN_CHECK(ZyanStringViewInsideBuffer(&view, text));
    return ZyanStringAppend(string, &view);
}

/* The piece that ADDRESS is in; of size 0 when there is none. Pieces are in order of address. */
static struct wasm_code piece_at(const struct wasm_module *module, uintptr_t address)
{
    uint32_t low = 0, high = wasm_module_code_count(module);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct wasm_code code = wasm_module_code(module, middle);
        if (code.address + code.size <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct wasm_code code = wasm_module_code(module, low);
    return address - code.address < code.size ? code : (struct wasm_code){0};
}

static ZyanStatus print_address(const ZydisFormatter *formatter, ZydisFormatterBuffer *buffer,
                                ZydisFormatterContext *context)
{
    const struct naming *naming = context->user_data;
    ZyanU64 address;
    char name[64], text[96];
    ZYAN_CHECK(ZydisCalcAbsoluteAddress(context->instruction, context->operand,
                                        context->runtime_address, &address));
    struct wasm_code code = piece_at(naming->module, address);
    unsigned offset = (unsigned)(address - code.address);
    if (!code.size) {
        return print_plainly(formatter, buffer, context);
    }
    wasm_code_name(naming->module, &code, name, sizeof name);
    if (code.address == naming->code->address) {
        snprintf(text, sizeof text, "%04x", offset);
    } else if (offset) {
        snprintf(text, sizeof text, "<%s+0x%x>", name, offset);
    } else {
        snprintf(text, sizeof text, "<%s>", name);
    }
    return append(buffer, text);
}

/* Made once. */
static const ZydisFormatter *formatter_get(void)
{
    static ZydisFormatter formatter;
    static bool made;
    if (!made) {
        ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
        ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_IMM_PADDING,
                                  ZYDIS_PADDING_DISABLED);
        ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_DISP_PADDING,
                                  ZYDIS_PADDING_DISABLED);
        ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
        print_plainly = print_address;
        ZydisFormatterSetHook(&formatter, ZYDIS_FORMATTER_FUNC_PRINT_ADDRESS_ABS,
                              (const void **)&print_plainly);
        made = true;
    }
    return &formatter;
}

void disasm_x86(const struct wasm_module *module, const struct wasm_code *code, uint32_t offset,
                struct machine_ins *out)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    struct naming naming = {module, code};
    const uint8_t *bytes = (const uint8_t *)code->address + offset;
    *out = (struct machine_ins){offset, 1, "(bad)"};
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (ZYAN_FAILED(
            ZydisDecoderDecodeFull(&decoder, bytes, code->size - offset, &instruction, operands)) ||
        ZYAN_FAILED(ZydisFormatterFormatInstruction(
            formatter_get(), &instruction, operands, instruction.operand_count_visible, out->text,
            sizeof out->text, code->address + offset, &naming))) {
        return;
    }
    out->length = instruction.length;
}
