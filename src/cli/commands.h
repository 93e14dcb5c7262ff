// The subcommands of llm-pretrain. Each file adds one, with its options, help and what it does when it is
// called.
#pragma once

namespace CLI {
class App;
}

namespace longhaul::cli {

void add_prepare_command(CLI::App& app);
void add_pretrain_command(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_generate_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_import_command(CLI::App& app);
void add_recipes_command(CLI::App& app);
void add_plan_command(CLI::App& app);
void add_schema_command(CLI::App& app);
void add_verify_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_launch_command(CLI::App& app);
void add_data_command(CLI::App& app);
void add_tokenizer_command(CLI::App& app);
void add_doctor_command(CLI::App& app);

}  // namespace longhaul::cli
