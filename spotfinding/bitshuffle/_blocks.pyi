from typing_extensions import Buffer

INSTRUCTION_SETS: tuple[str, ...]

def undo_blocks(
    lz4: int, data: Buffer, block: int, width: int, target: Buffer, instruction_set: str = "auto"
) -> None: ...
