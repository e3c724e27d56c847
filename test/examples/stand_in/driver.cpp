// Plays a scenario from standard input to examples/turn_to_person.cpp and prints the speed of every command.
//
//     person ID COUNT (JOINT X Y RIGHT DOWN FORWARDS)*COUNT   one more person in the next message
//     look AGE                                                the message comes, its image taken AGE seconds ago
//     command                                                 time for a command
//     sleep SECONDS

#define main example_main
#include "../../../examples/turn_to_person.cpp"
#undef main

#include <iostream>
#include <thread>

int main()
{
  using turn_to_person::People;
  using turn_to_person::Twist;
  rclcpp::Node::overrides = {{"timeout", 0.2}};
  turn_to_person::TurnToPerson node;
  People message;
  message.skeleton = "COCO-18";
  message.image_width = 640;
  std::string verb;
  while (std::cin >> verb) {
    if (verb == "person") {
      turn_to_person::Person person;
      person.keypoints.resize(18);
      int count;
      std::cin >> person.id >> count;
      for (; count > 0; --count) {
        std::size_t joint;
        std::cin >> joint;
        auto & keypoint = person.keypoints.at(joint);
        auto & at = keypoint.position;
        keypoint.state = turn_to_person::Keypoint::SEEN;
        for (float * number : {&keypoint.x, &keypoint.y, &at.x, &at.y, &at.z}) {
          std::string word;  // may be nan, which is no number to a stream
          std::cin >> word;
          *number = std::stof(word);
        }
      }
      message.people.push_back(person);
    } else if (verb == "look") {
      double age;
      std::cin >> age;
      const double taken = node.now().value - age;
      message.header.stamp.sec = static_cast<std::int32_t>(taken);
      message.header.stamp.nanosec = static_cast<std::uint32_t>((taken - message.header.stamp.sec) * 1e9);
      rclcpp::Subscription<People>::callback(message);
      message.people.clear();
    } else if (verb == "command") {
      rclcpp::TimerBase::callback();
      std::cout << rclcpp::Publisher<Twist>::kept.back().angular.z << std::endl;
    } else if (verb == "sleep") {
      double seconds;
      std::cin >> seconds;
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    }
  }
}
