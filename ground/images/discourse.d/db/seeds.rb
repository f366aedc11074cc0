# frozen_string_literal: true

# The archive that the community brings along from its mailing list: at the first start every post of it is cooked.
return if Topic.exists?

TOPICS = 40
POSTS = 30
passages = File.read("#{__dir__}/archive.md").split(/^----\n/)
now = Time.current
TOPICS.times do |number|
  Topic.transaction do
    topic = Topic.create!(title: "Archive, month #{number + 1}")
    rows = Array.new(POSTS) do |place|
      raw = passages.rotate(number + place).first(4).join("\n")
      { topic_id: topic.id, raw: raw, cooked: Post.cook(raw), created_at: now, updated_at: now }
    end
    Post.insert_all!(rows)
  end
  puts "cooked #{(number + 1) * POSTS} of #{TOPICS * POSTS} posts" if (number % 10) == 9
end
