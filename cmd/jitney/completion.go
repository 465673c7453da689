package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func completionCommand(sh *shell) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the completion script for a shell",
		Long: `Print the completion script for a shell. To use it now:

  bash        source <(jitney completion bash)
  zsh         source <(jitney completion zsh)
  fish        jitney completion fish | source
  PowerShell  jitney completion powershell | Out-String | Invoke-Expression

Put that line into the file that your shell reads when it starts, to keep it.`,
		ValidArgs: shells,
		Args:      arguments(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(sh.out, true)
			case "zsh":
				return root.GenZshCompletion(sh.out)
			case "fish":
				return root.GenFishCompletion(sh.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(sh.out)
			default:
				return fmt.Errorf("there is no shell %s", args[0])
			}
		},
	}
}
