// The subcommands of llm-pretrain. Each file adds one, with its options, help and what it does when it is
// called.
#pragma once

#include "cli/command_line.h"

namespace longhaul::cli {

void add_prepare_command(const Command& app);
void add_pretrain_command(const Command& app);
void add_eval_command(const Command& app);
void add_generate_command(const Command& app);
void add_export_command(const Command& app);
void add_import_command(const Command& app);
void add_recipes_command(const Command& app);
void add_plan_command(const Command& app);
void add_schema_command(const Command& app);
void add_verify_command(const Command& app);
void add_inspect_command(const Command& app);
void add_launch_command(const Command& app);
void add_data_command(const Command& app);
void add_tokenizer_command(const Command& app);
void add_doctor_command(const Command& app);

}  // namespace longhaul::cli
