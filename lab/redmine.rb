# Initial data of the Redmine that lab/redmine starts, run inside of its Rails environment: 60 projects, one for each
# customer; the administrator; jitney, who may write private notes everywhere; loud, who may write notes but not private
# ones; mute, who may read only; worker, who may also book time and give tickets any status.
Setting.rest_api_enabled = '1'
Setting.login_required = '1'
admin = User.find_by_login('admin')
admin.must_change_passwd = false
admin.save!(validate: false)
read = %i[view_issues]
rights = { 'jitney' => read + %i[add_issue_notes view_private_notes set_notes_private], 'loud' => read + %i[add_issue_notes], 'mute' => read }
rights['worker'] = rights['jitney'] + %i[edit_issues log_time view_time_entries]
people = rights.map do |login, permissions|
  role = Role.create!(name: login.capitalize, permissions: permissions, issues_visibility: 'all')
  user = User.new(firstname: login.capitalize, lastname: 'Lab', mail: "#{login}@lab.invalid", language: 'en')
  user.login = login
  user.password = user.password_confirmation = SecureRandom.hex(16)
  user.save!
  [user, role]
end
worker = people.last.last
worker.update!(time_entries_visibility: 'own')
Tracker.all.to_a.product(IssueStatus.all.to_a, IssueStatus.all.to_a) do |tracker, from, to|
  WorkflowTransition.create!(tracker: tracker, role: worker, old_status: from, new_status: to) unless from == to
end
60.times do |n|
  project = Project.create!(name: format("Customer %02d O'Brien & Sons", n + 1), identifier: format('customer-%02d', n + 1), is_public: false)
  project.trackers = Tracker.all
  project.enabled_module_names = %w[issue_tracking time_tracking]
  people.each { |user, role| Member.create!(project: project, principal: user, roles: [role]) }
end
File.open(ENV['LAB_REDMINE_KEYS'], 'w', 0o600) do |out|
  ([admin] + people.map(&:first)).each { |user| out.puts "REDMINE_#{user.login.upcase}=#{user.api_key}" }
end
